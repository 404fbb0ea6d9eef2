package zfssim

import (
	"fmt"
	"io"
	"time"
)

// complete turns a log that has come whole into a snapshot.
func (r *receiving) complete(t *tx, w *incoming, to *recvTarget) int {
	z := r.z
	d := t.get(w.name)
	if d == nil || d.Partial == nil || d.Partial.Live != w.id {
		return -z.fail(1, "cannot %s: destination '%s' does not exist", r.verb, w.name)
	}
	p := d.Partial
	base := t.partialBase(d)
	if p.From != 0 && base.v == nil {
		return -z.fail(1, "cannot %s: most recent snapshot of %s does not\nmatch incremental source", r.verb, d.name)
	}
	if p.From == 0 && !d.New && !p.Force {
		t.dropPartial(d)
		w.done(t)
		return z.fail(1, "cannot %s: destination %s has been modified\nsince most recent snapshot", r.verb, d.name)
	}
	tree, h, err := t.applyLog(w, base)
	if err != nil {
		t.dropPartial(d)
		w.done(t)
		return z.fail(1, "cannot %s: %v", r.verb, err)
	}
	if t.bounded(d) && treeSize(tree) > t.room(d)+t.used(d) {
		t.dropPartial(d)
		w.done(t)
		if d.pool.Size >= defaultPoolSize || t.poolRoom(d) > treeSize(tree) {
			return z.fail(1, "cannot %s: destination %s space quota exceeded.", r.verb, d.name)
		}
		return z.fail(1, "cannot %s: out of space", r.verb)
	}
	started := time.Now()
	wasNew := d.New
	was := t.unmountTree(t.tree(d.name, -1))
	if base.v != nil && base.d == d {
		for _, v := range t.snapshots(d) {
			if v.txg > base.v.txg && p.Force {
				t.removeVersion(d, v)
			}
		}
	}
	if code := r.settle(t, d, to, p, h, wasNew); code != 0 {
		return code
	}
	v := &version{kind: '@', name: p.Snap, guid: p.To, txg: t.txg(d.pool), creation: int64(p.Creation)}
	switch {
	case p.IVSet != 0 && p.IVSet != v.guid:
		v.IVSet = p.IVSet
	case p.IVSet == 0 && d.Crypt != "":
		v.IVSet = newGUID()
	}
	v.Ref, v.ID, v.Crypt, v.Large = h.Ref, t.nextID(d.pool), d.Crypt != "", d.Large
	if says := to.says; says != nil {
		v.receiveProps(says.Props)
		if r.holds && !r.o.has('h') {
			for _, tag := range says.Holds {
				t.setHold(d, v, tag, true)
			}
		}
	}
	t.do(opRemove, t.rel(d.name, "@live"), "")
	t.do(opMove, tree, t.rel(d.name, treeOf(v)))
	t.addVersion(d, v)
	d.Partial, d.New, d.Clean, d.dirty = nil, false, p.To, true
	d.Raw, d.Touched = p.Features&featureRaw != 0, false
	if d.Volume {
		if code := z.volumeLive(t, d, tree); code != 0 {
			return code
		}
	}
	t.do(opRemove, t.rel(d.name, "@recv"), "")
	w.done(t)
	if code := r.remountReceived(t, d, tree, was, wasNew); code != 0 {
		return code
	}
	if r.o.has('v') {
		secs := time.Since(started).Seconds() + 0.01
		fmt.Fprintf(z.out, "received %s stream in %.2f seconds (%s/sec)\n", bytesText(h.Ref), secs, bytesText(uint64(float64(h.Ref)/secs)))
	}
	return 0
}

// remountReceived mounts again what was mounted, and a new filesystem unless
// -u was given. The staged tree is still where it was put: nothing is
// committed yet.
func (r *receiving) remountReceived(t *tx, d *ds, tree string, was []*ds, fresh bool) (code int) {
	if fresh && !r.o.has('u') && !d.Volume { // canmount=noauto, too
		was = append([]*ds{d}, was...)
	}
	for _, m := range was {
		if t.mountable(m) != "" {
			continue
		}
		var err error
		if m == d {
			err = t.mountFrom(m, tree)
		} else {
			err = t.mount(m)
		}
		if err != nil {
			r.z.mountFailed(m, err)
			code = r.z.trait().recvUnmounted
		}
	}
	return code
}

func (t *tx) partialBase(d *ds) object {
	p := d.Partial
	if p.From == 0 {
		return object{}
	}
	if p.Origin != "" {
		od, ov := t.lookup(p.Origin)
		return object{od, ov}
	}
	return object{d, t.byGUID(d, p.From)}
}

// applyLog builds the tree of the new snapshot from its base's and the log.
func (t *tx) applyLog(w *incoming, base object) (string, *head, error) {
	dir, err := t.staged()
	if err != nil {
		return "", nil, err
	}
	if base.v != nil {
		if err := linkTree(t.dir(base.d.name, treeOf(base.v)), dir); err != nil {
			return "", nil, err
		}
	}
	if _, err := w.file.Seek(0, io.SeekStart); err != nil {
		return "", nil, err
	}
	a := &applier{dir: dir, head: &head{}}
	if err := a.run(w.file); err != nil {
		return "", nil, err
	}
	return dir, a.head, nil
}
