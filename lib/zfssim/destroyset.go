package zfssim

import (
	"slices"
	"strings"
)

func (z *cmd) destroySet(t *tx, o *options, name string) int {
	target, ok := z.openObject(t, name, takeSet)
	if !ok {
		return -1
	}
	d := target.d
	deep := o.has('r') || o.has('R')
	if !strings.Contains(name, "/") {
		return -z.fail(1, "cannot destroy '%s': operation does not apply to pools\nuse 'zfs destroy -r %s' to destroy all datasets in the pool\nuse 'zpool destroy %s' to destroy the pool itself", name, name, name)
	}
	victims := t.tree(name, -1)
	if !deep {
		if code := z.refuseChildren(t, d, victims); code != 0 {
			return code
		}
	}
	clones := t.outsideClones(victims)
	if len(clones) > 0 && !o.has('R') {
		return -z.fail(1, "cannot destroy '%s': %s has dependent clones\nuse '-R' to destroy the following datasets:\n%s", name, kindWord(d.Volume), strings.Join(clones, "\n"))
	}
	for _, c := range clones {
		victims = append(victims, t.tree(c, -1)...)
	}
	if o.has('v') {
		for _, line := range t.destroyOrder(victims) {
			z.tellDestroy(o, line)
		}
	}
	if o.has('n') {
		return 0
	}
	if !z.permitted(t, d, "destroy", "mount") {
		return -z.fail(1, "cannot destroy '%s': %s", name, z.denied)
	}
	if code := z.refuseHeld(t, victims); code != 0 {
		return code
	}
	for _, v := range slices.Backward(victims) {
		t.removeSet(v)
	}
	return 0
}

// destroyOrder is children first, the snapshots of each before it.
func (t *tx) destroyOrder(victims []*ds) []string {
	var out []string
	if len(victims) == 0 {
		return nil
	}
	d := victims[0]
	for i := 1; i < len(victims); {
		n := i + 1
		for n < len(victims) && strings.HasPrefix(victims[n].name, victims[i].name+"/") {
			n++
		}
		out = append(out, t.destroyOrder(victims[i:n])...)
		i = n
	}
	for _, v := range t.snapshots(d) {
		out = append(out, v.full(d))
	}
	return append(out, d.name)
}

// refuseHeld stops the destruction of datasets with held or busy snapshots.
func (z *cmd) refuseHeld(t *tx, victims []*ds) int {
	bad := false
	for _, d := range slices.Backward(victims) {
		for _, v := range t.snapshots(d) {
			switch {
			case len(v.Holds) > 0:
				z.fail(1, "cannot destroy snapshot %s: %s", v.full(d), t.trait.heldText(v.full(d)))
				bad = true
			case t.sending(object{d, v}):
				z.fail(1, "cannot destroy snapshot %s: dataset is busy", v.full(d))
				bad = true
			}
		}
		if t.receivingInto(d) {
			return -z.fail(1, "cannot destroy '%s': dataset is busy", d.name)
		}
	}
	if bad {
		return -1
	}
	return 0
}

// refuseChildren complains of what stands below a dataset destroyed without -r.
func (z *cmd) refuseChildren(t *tx, d *ds, victims []*ds) int {
	below := t.destroyOrder(victims)
	below = below[:len(below)-1]
	if len(below) == 0 {
		return 0
	}
	return -z.fail(1, "cannot destroy '%s': %s has children\nuse '-r' to destroy the following datasets:\n%s", d.name, kindWord(d.Volume), strings.Join(below, "\n"))
}

// outsideClones lists clones of the victims' snapshots that are not victims.
func (t *tx) outsideClones(victims []*ds) []string {
	inside := map[string]bool{}
	for _, d := range victims {
		inside[d.name] = true
	}
	var out []string
	for _, d := range victims {
		for _, v := range t.snapshots(d) {
			for _, c := range t.clonesOf(object{d, v}) {
				if !inside[c] && !strings.HasSuffix(c, "/%recv") {
					out = append(out, c)
				}
			}
		}
	}
	return out
}

// removeSet takes a dataset away with all that belongs to it.
func (t *tx) removeSet(d *ds) {
	if d.gone {
		return
	}
	t.leave([]*ds{d})
	if d.Volume {
		t.volumeLink(d, false)
	}
	t.dropClone(d)
	t.do(opRemove, t.rel(d.name), "")
	t.txg(d.pool)
	d.gone = true
	if parent := parentOf(d.name); parent != "" {
		kids := slices.Clone(t.children(parent))
		t.kids[parent] = slices.DeleteFunc(kids, func(k string) bool { return k == d.name })
	}
}

// dropClone forgets that d is a clone, and finishes a deferred destruction of
// its origin.
func (t *tx) dropClone(d *ds) {
	if d.Origin == "" {
		return
	}
	delete(d.pool.Clones, d.name)
	d.pool.dirty = true
	od, v := t.lookup(d.Origin)
	if v != nil && v.Defer && len(v.Holds) == 0 && len(t.clonesOf(object{od, v})) == 0 {
		t.removeVersion(od, v)
	}
}
