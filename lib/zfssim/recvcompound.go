package zfssim

import (
	"strings"
)

// compound receives a stream of -R, -I or -p: the description first, then the
// substreams until the last END.
func (r *receiving) compound(rec *record) int {
	z := r.z
	var c compound
	c.Top, _, _ = strings.Cut(rec.begin.toname, "@")
	if len(rec.payload) > 0 && unpackCompound(rec.payload, &c) != nil {
		return z.fail(1, "cannot receive: invalid stream (bad magic number)")
	}
	if end, err := r.in.next(); err != nil || end.kind != drrEnd {
		return z.fail(1, "cannot receive: failed to read from stream")
	}
	if c.Replicate && r.o.has('F') && !r.o.has('n') {
		if code := z.change(func(t *tx) int { return r.prune(t, &c) }); code != 0 {
			return code
		}
	}
	result := 0
	for {
		sub, err := r.in.next()
		if err == nil && sub.kind == drrEnd {
			if c.Replicate && r.taken == 0 && len(c.Sets) > 1 && !z.trait().skipAll {
				return z.fail(1, "cannot receive: failed to read from stream")
			}
			return result
		}
		if code := r.badFirst(sub, err); code != 0 {
			return code
		}
		r.first = sub
		if code := r.one(sub, &c, r.subTarget(&c, sub.begin.toname)); code != 0 {
			result = code
			return result
		}
	}
}

// subTarget maps a substream's dataset below the destination.
func (r *receiving) subTarget(c *compound, toname string) *recvTarget {
	name, short, _ := strings.Cut(toname, "@")
	top, _ := r.destination(c.Top + "@x")
	to := &recvTarget{name: top + strings.TrimPrefix(name, c.Top), snap: short, sub: true, top: name == c.Top}
	for i := range c.Sets {
		if c.Props && c.Sets[i].Name == name {
			to.sent = &c.Sets[i]
		}
	}
	return to
}

// prune makes the destination follow the sender (-R with -F): snapshots and
// datasets that the sender no longer has go.
func (r *receiving) prune(t *tx, c *compound) int {
	top, _ := r.destination(c.Top + "@x")
	if c.From == "" {
		return 0
	}
	known := map[uint64]bool{}
	for _, s := range c.Sets {
		for _, v := range s.Snaps {
			known[v.GUID] = true
		}
	}
	if code := r.follow(t, c, top); code != 0 {
		return code
	}
	for _, d := range t.tree(top, -1) {
		snaps, kept := t.snapshots(d), 0
		for _, v := range snaps {
			if known[v.guid] {
				kept++
			}
		}
		if kept == 0 && len(snaps) > 0 && d.name != top {
			t.removeSet(d)
			continue
		}
		for _, v := range snaps {
			if !known[v.guid] && kept > 0 && len(v.Holds) == 0 {
				t.removeVersion(d, v)
			}
		}
	}
	return 0
}

// follow renames what the sender has renamed since: a snapshot of the same
// guid, and the dataset that has it.
func (r *receiving) follow(t *tx, c *compound, top string) int {
	for _, s := range c.Sets {
		want := top + strings.TrimPrefix(s.Name, c.Top)
		have, names := t.holder(top, s.Snaps)
		if have == nil {
			continue
		}
		for _, v := range t.snapshots(have) {
			if n, ok := names[v.guid]; ok && n != v.name && t.find(have, "@"+n) == nil {
				t.do(opMove, t.rel(have.name, treeOf(v)), t.rel(have.name, "@zfs/snapshot/"+n))
				v.name, have.moved = n, true
			}
		}
		if have.name == want || have.name == top || t.get(want) != nil || t.get(parentOf(want)) == nil {
			continue
		}
		if code := r.z.moveSets(t, t.tree(have.name, -1), have.name, want); code != 0 {
			return code
		}
	}
	return 0
}

// holder finds the dataset below top that has one of the snapshots.
func (t *tx) holder(top string, snaps []sentSnap) (*ds, map[uint64]string) {
	names := map[uint64]string{}
	for _, v := range snaps {
		names[v.GUID] = v.Name
	}
	for _, d := range t.tree(top, -1) {
		for _, v := range t.snapshots(d) {
			if _, ok := names[v.guid]; ok {
				return d, names
			}
		}
	}
	return nil, nil
}
