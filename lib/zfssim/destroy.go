package zfssim

import (
	"fmt"
	"slices"
	"strings"
)

func (z *cmd) destroy(args []string) int {
	o, err := getopt(args, "vpndrRf", nil)
	if err != nil {
		return z.usage("%v", err)
	}
	switch {
	case len(o.args) == 0:
		return z.usage("missing dataset argument")
	case len(o.args) > 1:
		return z.usage("too many arguments")
	}
	name := o.args[0]
	switch {
	case strings.Contains(name, "@"):
		return z.change(func(t *tx) int { return z.destroySnaps(t, o, name) })
	case strings.Contains(name, "#"):
		return z.change(func(t *tx) int { return z.destroyMark(t, o, name) })
	}
	if o.has('d') {
		return z.fail(1, "cannot open '%s': missing '@' delimiter in snapshot name", name)
	}
	return z.change(func(t *tx) int { return z.destroySet(t, o, name) })
}

func (z *cmd) destroyMark(t *tx, o *options, full string) int {
	if o.has('r') || o.has('R') {
		return -z.fail(255, "recursive is not supported with bookmark")
	}
	if why := badName(full, takeBookmark, false); why != "" {
		return -z.fail(1, "cannot destroy '%s': %s", full, why)
	}
	d, v := t.lookup(full)
	if v == nil {
		return -z.fail(1, "bookmark '%s' does not exist.", full)
	}
	if !z.permitted(t, d, "destroy") {
		return -z.fail(1, "cannot destroy bookmark: %s", z.denied)
	}
	if o.has('v') {
		z.tellDestroy(o, full)
	}
	if !o.has('n') {
		t.removeVersion(d, v)
	}
	return 0
}

func (z *cmd) tellDestroy(o *options, name string) {
	switch {
	case o.has('p'):
		fmt.Fprintf(z.out, "destroy\t%s\n", name)
	case o.has('n'):
		fmt.Fprintf(z.out, "would destroy %s\n", name)
	default:
		fmt.Fprintf(z.out, "will destroy %s\n", name)
	}
}

func (z *cmd) tellReclaim(o *options, n uint64) {
	switch {
	case o.has('p'):
		fmt.Fprintf(z.out, "reclaim\t%d\n", n)
	case o.has('n'):
		fmt.Fprintf(z.out, "would reclaim %s\n", bytesText(n))
	default:
		fmt.Fprintf(z.out, "will reclaim %s\n", bytesText(n))
	}
}

func bytesText(n uint64) string {
	if n < 1024 {
		return fmt.Sprintf("%dB", n)
	}
	return nice(n)
}

// destroySnaps destroys fs@a,b%c: all of what is there, or nothing.
func (z *cmd) destroySnaps(t *tx, o *options, spec string) int {
	name, list, _ := strings.Cut(spec, "@")
	target, ok := z.openObject(t, name, takeSet)
	if !ok {
		return -1
	}
	victims, bad := z.matchSnaps(t, target.d, list, o.has('r') || o.has('R'))
	if bad != "" {
		return -z.fail(1, "%s", bad)
	}
	if len(victims) == 0 {
		return -z.fail(1, "could not find any snapshots to destroy; check snapshot names.")
	}
	var clones []*ds
	if o.has('R') {
		clones = t.cloneTree(victims)
	}
	if o.has('v') {
		z.tellSnaps(t, o, victims)
	}
	if o.has('n') {
		return 0
	}
	for _, v := range victims {
		if !z.permitted(t, v.d, "destroy", "mount") {
			return -z.fail(1, "cannot destroy snapshots: %s", z.denied)
		}
	}
	for _, c := range clones {
		t.removeSet(c)
	}
	failed := false
	for _, v := range victims {
		if why := z.keepSnap(t, v, o); why != "" {
			z.fail(1, "%s", why)
			failed = true
		}
	}
	if failed {
		return -1
	}
	for _, v := range victims {
		if len(v.v.Holds) > 0 || len(t.clonesOf(v)) > 0 {
			v.v.Defer, v.d.moved = true, true
			continue
		}
		t.removeVersion(v.d, v.v)
	}
	return 0
}

func (z *cmd) tellSnaps(t *tx, o *options, victims []object) {
	n := uint64(0)
	for _, v := range victims {
		z.tellDestroy(o, v.name())
		n += sub(v.v.Ref, t.referenced(v.d))
	}
	z.tellReclaim(o, n)
}

// keepSnap says why a snapshot cannot be destroyed.
func (z *cmd) keepSnap(t *tx, v object, o *options) string {
	clones := t.clonesOf(v)
	switch {
	case len(v.v.Holds) > 0 && !o.has('d'):
		return fmt.Sprintf("cannot destroy snapshot %s: %s", v.name(), t.trait.heldText(v.name()))
	case len(clones) > 0 && !o.has('d'):
		return fmt.Sprintf("cannot destroy '%s': snapshot has dependent clones\nuse '-R' to destroy the following datasets:\n%s", v.name(), strings.Join(t.dependents(clones), "\n"))
	case t.sending(v):
		return fmt.Sprintf("cannot destroy snapshot %s: dataset is busy", v.name())
	}
	return ""
}

// dependents is what depends on a snapshot with clones: each behind its own.
func (t *tx) dependents(clones []string) []string {
	var out []string
	for _, name := range clones {
		if t.get(name) == nil { // a partial receive
			out = append(out, name)
			continue
		}
		out = append(out, t.destroyOrder(t.tree(name, -1))...)
	}
	return out
}

// cloneTree is what -R takes along: clones of the victims and all of theirs.
func (t *tx) cloneTree(victims []object) []*ds {
	var out []*ds
	for _, v := range victims {
		for _, name := range t.clonesOf(v) {
			for _, d := range t.tree(name, -1) {
				var snaps []object
				for _, s := range t.snapshots(d) {
					snaps = append(snaps, object{d, s})
				}
				out = append(out, t.cloneTree(snaps)...)
				out = append(out, d)
			}
		}
	}
	return out
}

// matchSnaps resolves a@x,y%z in d and, with deep, below it.
func (z *cmd) matchSnaps(t *tx, d *ds, list string, deep bool) ([]object, string) {
	sets := []*ds{d}
	if deep {
		sets = t.tree(d.name, -1)
	}
	var out []object
	seen := map[*version]bool{}
	for _, part := range strings.Split(list, ",") {
		if !strings.Contains(part, "%") && badName(d.name+"@"+part, takeSnapshot, false) != "" {
			return nil, fmt.Sprintf("invalid snapshot name: %s", part)
		}
		for _, s := range sets {
			for _, v := range t.matchPart(s, part) {
				if !seen[v] {
					seen[v] = true
					out = append(out, object{s, v})
				}
			}
		}
	}
	return out, ""
}

func (t *tx) matchPart(d *ds, part string) []*version {
	first, last, ranged := strings.Cut(part, "%")
	snaps := t.snapshots(d)
	if !ranged {
		if v := t.find(d, "@"+part); v != nil {
			return []*version{v}
		}
		return nil
	}
	from, to := 0, len(snaps)-1
	if first != "" {
		from = slices.IndexFunc(snaps, func(v *version) bool { return v.name == first })
	}
	if last != "" {
		to = slices.IndexFunc(snaps, func(v *version) bool { return v.name == last })
	}
	if from < 0 || to < from {
		return nil
	}
	return snaps[from : to+1]
}

// removeVersion destroys a snapshot or a bookmark. The contents of an
// unmounted dataset that equal it move into their own place first.
func (t *tx) removeVersion(d *ds, v *version) {
	if v.kind == '@' && d.Clean == v.guid && !d.Mounted {
		t.ownLive(d)
	}
	t.do(opRemove, t.rel(d.name, treeOf(v)), "")
	t.dropVersion(d, v)
}

// ownLive gives an unmounted dataset a copy of the snapshot it equals.
func (t *tx) ownLive(d *ds) {
	src := t.live(d)
	d.Clean, d.dirty = 0, true
	dst, err := t.staged()
	if err == nil && copyTree(src, dst) == nil {
		t.do(opMove, dst, t.rel(d.name, "@live"))
	}
}
