package zfssim

import (
	"os"
	"slices"
	"strings"
	"time"
)

func (z *cmd) snapshot(args []string) int {
	o, err := getopt(args, "ro:", nil)
	if err != nil {
		return z.usage("%v", err)
	}
	props, code := z.assignments(o.vals['o'])
	if code != 0 {
		return code
	}
	if len(o.args) == 0 {
		return z.usage("missing snapshot argument")
	}
	return z.change(func(t *tx) int { return z.snapshotIn(t, o.args, props, o.has('r')) })
}

// A wanted snapshot.
type wanted struct {
	d    *ds
	name string
}

func (z *cmd) snapshotIn(t *tx, names []string, props map[string]string, recursive bool) int {
	var all []wanted
	for _, full := range names {
		name, short, ok := strings.Cut(full, "@")
		if !ok {
			z.printUsage(z.err)
			return -2
		}
		o, ok := z.openObject(t, name, takeSet)
		if !ok {
			z.printUsage(z.err)
			return -2
		}
		sets := []*ds{o.d}
		if recursive {
			sets = t.tree(name, -1)
		}
		for _, d := range sets {
			all = append(all, wanted{d, short})
		}
	}
	checked, ok := z.checkSettings(t, names[0], props, takeSnapshot, "snapshot")
	if !ok {
		return -1
	}
	bad := false
	all = distinct(all)
	if multiple(all) {
		return -z.fail(1, "cannot create snapshots : multiple snapshots of same fs not allowed\nno snapshots were created")
	}
	for _, w := range all {
		if why := badName(w.d.name+"@"+w.name, takeSnapshot, true); why != "" {
			return -z.fail(1, "cannot create snapshot '%s@%s': %s", w.d.name, w.name, why)
		}
	}
	for _, w := range all {
		full := w.d.name + "@" + w.name
		why := ""
		switch {
		case !z.permitted(t, w.d, "snapshot"):
			return -z.fail(1, "cannot create snapshots : %s", z.denied)
		case t.find(w.d, "@"+w.name) != nil:
			why = "dataset already exists"
		case w.d.New:
			why = "dataset is busy"
		}
		if why != "" {
			z.fail(1, "cannot create snapshot '%s': %s", full, why)
			bad = true
		}
	}
	if bad {
		return -z.snapshotsFailed(all)
	}
	for _, w := range all {
		if err := t.takeSnapshot(w.d, w.name, checked); err != nil {
			return -z.fail(1, "cannot create snapshot '%s@%s': %v", w.d.name, w.name, err)
		}
	}
	return 0
}

// takeSnapshot freezes the present contents.
func (t *tx) takeSnapshot(d *ds, name string, props map[string]string) error {
	v := &version{kind: '@', name: name, guid: newGUID(), txg: t.txg(d.pool), creation: t.now}
	v.Props, v.ID = props, t.nextID(d.pool)
	v.Crypt, v.Large = d.Crypt != "", d.Large
	if d.Touched {
		d.Touched, d.dirty = false, true
	}
	if len(props) == 0 {
		v.Props = nil
	}
	if err := t.freezeLive(d, v); err != nil {
		return err
	}
	v.Ref = t.referenced(d)
	if d.Clean != 0 && !d.Mounted {
		d.Clean, d.dirty = v.guid, true
	}
	t.addVersion(d, v)
	return nil
}

// freezeLive stages the new snapshot's tree. An empty one of an unmounted
// dataset needs none.
func (t *tx) freezeLive(d *ds, v *version) error {
	src := t.live(d)
	if !d.Mounted {
		if _, err := os.Stat(src); err != nil {
			return nil
		}
	}
	dst, err := t.staged()
	if err != nil {
		return err
	}
	last := t.newest(d)
	switch {
	case d.Clean != 0 && !d.Mounted:
		err = linkTree(src, dst)
	case last == nil:
		err = copyTree(src, dst)
	default:
		err = freeze(src, t.dir(d.name, treeOf(last)), dst, time.Unix(last.creation, 0))
	}
	if err != nil {
		return err
	}
	t.do(opMove, dst, t.rel(d.name, treeOf(v)))
	return nil
}

func (z *cmd) bookmark(args []string) int {
	o, err := getopt(args, "", nil)
	if err != nil {
		return z.usage("%v", err)
	}
	switch len(o.args) {
	case 0:
		return z.usage("missing source argument")
	case 1:
		return z.usage("missing bookmark argument")
	}
	src, dst := o.args[0], o.args[1]
	if !strings.ContainsAny(src, "@#") {
		return z.usage("invalid source name '%s': must contain a '@' or '#'", src)
	}
	if !strings.Contains(dst, "#") {
		return z.usage("invalid bookmark name '%s': must contain a '#'", dst)
	}
	return z.change(func(t *tx) int { return z.bookmarkIn(t, src, dst) })
}

func (z *cmd) bookmarkIn(t *tx, src, dst string) int {
	if strings.HasPrefix(dst, "#") {
		dst = src[:strings.IndexAny(src, "@#")] + dst
	}
	if strings.HasPrefix(src, "@") || strings.HasPrefix(src, "#") {
		src = dst[:strings.IndexByte(dst, '#')] + src
	}
	o, ok := z.openObject(t, src, takeSnapshot|takeBookmark)
	if !ok {
		z.printUsage(z.err)
		return -2
	}
	name, short, _ := strings.Cut(dst, "#")
	why := ""
	switch {
	case badName(dst, takeBookmark, true) != "":
		why = "invalid argument"
	case poolOf(name) != o.d.pool.Name:
		why = "bookmark is in a different pool"
	case name != o.d.name:
		why = "source is not an ancestor of the new bookmark's dataset"
	case !z.permitted(t, o.d, "bookmark"):
		why = z.denied
	case t.find(o.d, "#"+short) != nil:
		why = "bookmark exists"
	}
	if why != "" {
		return -z.fail(1, "cannot create bookmark '%s': %s", dst, why)
	}
	v := &version{kind: '#', name: short, guid: o.v.guid, txg: o.v.txg, creation: o.v.creation}
	v.Ref, v.Crypt, v.Large, v.IVSet = o.v.Ref, o.v.Crypt, o.v.Large, o.v.IVSet
	tree := t.dir(o.d.name, treeOf(o.v))
	if _, err := os.Stat(tree); err == nil {
		dst, err := t.staged()
		if err == nil {
			err = linkTree(tree, dst)
		}
		if err != nil {
			return -z.fail(1, "cannot create bookmark '%s#%s': %v", name, short, err)
		}
		t.do(opMove, dst, t.rel(o.d.name, treeOf(v)))
	}
	t.addVersion(o.d, v)
	return 0
}

func distinct(all []wanted) []wanted {
	seen := map[wanted]bool{}
	return slices.DeleteFunc(all, func(w wanted) bool {
		was := seen[w]
		seen[w] = true
		return was
	})
}

// multiple reports what the kernel refuses: two snapshots of one dataset, or
// of two pools.
func multiple(all []wanted) bool {
	seen := map[*ds]bool{}
	for _, w := range all {
		if seen[w.d] || w.d.pool != all[0].d.pool {
			return true
		}
		seen[w.d] = true
	}
	return false
}

func (z *cmd) snapshotsFailed(all []wanted) int {
	if len(all) > 1 {
		z.fail(1, "no snapshots were created")
	}
	return 1
}
