package zfssim

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// A localSet is what libzfs gathers of a dataset at the destination.
type localSet struct {
	name       string
	parentFrom uint64 // guid of the parent's snapshot that the package begins at
	snaps      []*version
}

// A following is recv_incremental_replication: it makes the destination
// follow a recursive package. Datasets and snapshots that the package has
// under other names are renamed, and with -F those that it does not have are
// destroyed.
type following struct {
	r       *receiving
	t       *tx
	p       *packaged
	top     string
	deleted map[uint64]bool
	again   bool
	moved   bool
	tried   int // names given to what could not have its own
}

// follow returns 0, or not where something could not follow.
func (r *receiving) follow(p *packaged, rec *record) int {
	if r.o.has('n') {
		return 0
	}
	top := r.followTop(rec)
	return r.z.change(func(t *tx) int {
		f := &following{r: r, t: t, p: p, top: top}
		if t.get(top) == nil {
			return r.z.fail(1, "cannot open '%s': dataset does not exist", top)
		}
		for {
			f.again, f.moved, f.deleted = false, false, map[uint64]bool{}
			if !f.pass() {
				return 1
			}
			if !f.again || !f.moved {
				break
			}
		}
		r.followed = f.tried
		if f.again {
			return 1
		}
		return 0
	})
}

// followTop is where the package's filesystem is at the destination.
func (r *receiving) followTop(rec *record) string {
	name := rec.begin.toname
	top := r.target
	switch {
	case r.o.has('e'):
		at := strings.LastIndexByte(name, '/')
		if at < 0 {
			top, at = top+"/", 0
		}
		top += name[at:]
	case r.o.has('d'):
		top += name[strings.IndexAny(name, "/@"):]
	}
	top, _, _ = strings.Cut(top, "@")
	return top
}

func (f *following) gather() []localSet {
	var out []localSet
	for _, d := range f.t.tree(f.top, -1) {
		s := localSet{name: d.name, snaps: f.t.snapshots(d)}
		if d.name != f.top {
			if v := f.t.find(f.t.get(parentOf(d.name)), "@"+f.p.sent.From); v != nil {
				s.parentFrom = v.guid
			}
		}
		out = append(out, s)
	}
	return out
}

// pass goes once over all that is there. It reports whether another pass may
// be made.
func (f *following) pass() bool {
	local := f.gather()
	for _, s := range local {
		d := f.t.get(s.name)
		if d == nil {
			continue
		}
		if again, ok := f.origins(d, s); !ok || again {
			if !ok {
				return false
			}
			f.again = true
			continue
		}
		ref, from := f.snapshots(d, s)
		if ref == nil {
			if f.r.o.has('F') {
				f.destroy(d)
				f.deleted[s.parentFrom] = true
			}
			continue
		}
		if !from {
			continue
		}
		if !f.place(d, s, ref, local) {
			f.again, f.moved = true, true
			return true
		}
	}
	return true
}

// origins promotes where the clone and its origin have changed places.
func (f *following) origins(d *ds, s localSet) (again, ok bool) {
	var ref *sentDS
	for _, v := range s.snaps {
		if x := f.p.find(v.guid); x.set != nil {
			ref = x.set
			break
		}
	}
	have := uint64(0)
	if _, v := f.t.lookup(d.Origin); v != nil {
		have = v.guid
	}
	if ref == nil || ref.Origin == have {
		return false, true
	}
	switch {
	case have == 0: // made a clone since: the next pass will not find it otherwise
		return true, true
	case ref.Origin == 0:
		if f.r.z.promoteIn(f.t, d.name) == 0 {
			f.moved = true
		}
		return true, true
	}
	return true, false
}

// snapshots lets a dataset's snapshots follow. It returns what the package
// says of the dataset, and whether it has the snapshot that the package
// begins at.
func (f *following) snapshots(d *ds, s localSet) (ref *sentDS, from bool) {
	for _, v := range s.snaps {
		found := f.p.find(v.guid)
		if found.set == nil {
			if f.r.o.has('F') {
				f.destroySnapshot(d, v)
				f.deleted[v.guid] = true
			}
			continue
		}
		ref = found.set
		v.receiveProps(found.snap.Props)
		d.moved = true
		switch {
		case v.name == found.snap.Name:
		case f.t.renameVersion(d, v, found.snap.Name):
			f.moved = true
		default:
			f.aside(func(name string) bool { return f.t.renameVersion(d, v, name) }, v.name, "")
		}
		from = from || found.snap.Name == f.p.sent.From
	}
	return ref, from
}

// place moves a dataset to where the package has it. It reports false where
// the parent was destroyed in this pass.
func (f *following) place(d *ds, s localSet, ref *sentDS, local []localSet) bool {
	other := ref.ParentFrom != 0 && s.parentFrom != 0 && ref.ParentFrom != s.parentFrom
	if other && f.deleted[s.parentFrom] {
		return false
	}
	here, there := strings.LastIndexByte(s.name, '/'), strings.LastIndexByte(ref.Name, '/')
	named := f.r.o.has('d') || f.r.o.has('e') || s.name != f.top
	if !other && !(named && here >= 0 && there >= 0 && s.name[here:] != ref.Name[there:]) {
		return true
	}
	try := ""
	for _, l := range local {
		for _, v := range l.snaps {
			if v.guid == ref.ParentFrom && try == "" && there >= 0 {
				try = l.name + ref.Name[there:]
			}
		}
	}
	if f.t.moveTo(f.r.z, d, try) {
		f.moved = true
		return true
	}
	f.aside(func(name string) bool { return f.t.moveTo(f.r.z, d, name) }, s.name, s.name[:min(len(f.top)+1, len(s.name))])
	return true
}

// aside renames what could not have its own name to one beginning with
// "recv-", and has another pass made.
func (f *following) aside(rename func(string) bool, name, lead string) {
	f.again = true
	if strings.HasPrefix(name[len(lead):], "recv-") {
		return
	}
	f.tried++
	rename(fmt.Sprintf("%srecv-%d-%d", lead, os.Getpid(), f.r.followed+f.tried))
}

func (f *following) destroySnapshot(d *ds, v *version) {
	if len(v.Holds) == 0 && len(f.t.clonesOf(object{d, v})) == 0 {
		f.t.removeVersion(d, v)
		f.moved = true
		return
	}
	v.Defer, d.moved = true, true
	f.aside(func(name string) bool { return f.t.renameVersion(d, v, name) }, v.name, "")
}

func (f *following) destroy(d *ds) {
	if len(f.t.children(d.name)) == 0 && len(f.t.snapshots(d)) == 0 {
		f.t.removeSet(d)
		f.moved = true
		return
	}
	f.aside(func(name string) bool { return f.t.moveTo(f.r.z, d, name) }, d.name, d.name[:min(len(f.top)+1, len(d.name))])
}

// renameVersion gives a snapshot another name, if that is free.
func (t *tx) renameVersion(d *ds, v *version, name string) bool {
	if badName(d.name+"@"+name, takeSnapshot, true) != "" || t.find(d, "@"+name) != nil {
		return false
	}
	t.do(opMove, t.rel(d.name, treeOf(v)), t.rel(d.name, "@zfs/snapshot/"+name))
	was := v.full(d)
	v.name, d.moved = name, true
	t.changed(d, v)
	for clone, origin := range d.pool.Clones {
		if origin == was {
			t.setOrigin(clone, v.full(d))
		}
	}
	return true
}

// moveTo renames a dataset and all below it, if that can be done.
func (t *tx) moveTo(z *cmd, d *ds, name string) bool {
	parent := t.get(parentOf(name))
	if name == "" || parent == nil || parent.Volume || t.get(name) != nil || badName(name, takeSet, true) != "" ||
		poolOf(name) != d.pool.Name || strings.HasPrefix(name, d.name+"/") || parentOf(d.name) == "" {
		return false
	}
	return z.moveSets(t, t.tree(d.name, -1), d.name, name) == 0
}

// receiveProps sets the user properties that came with a snapshot.
func (v *version) receiveProps(props map[string]string) {
	for name, text := range props {
		if !isUser(name) {
			continue
		}
		if v.Recvd == nil {
			v.Recvd = map[string]string{}
		}
		v.Recvd[name] = text
	}
}

func hexNumber(n uint64) string { return strconv.FormatUint(n, 16) }
