package zfssim

import "strings"

func (z *cmd) rename(args []string) int {
	o, err := getopt(args, "pruf", nil)
	if err != nil {
		return z.usage("%v", err)
	}
	switch {
	case len(o.args) == 0:
		return z.usage("missing source dataset argument")
	case len(o.args) == 1:
		return z.usage("missing target dataset argument")
	case len(o.args) > 2:
		return z.usage("too many arguments")
	case o.has('r') && o.has('p'):
		return z.usage("-p and -r options are mutually exclusive")
	case o.has('r') && !strings.Contains(o.args[0], "@"):
		return z.usage("source dataset for recursive rename must be a snapshot")
	}
	from, to := o.args[0], o.args[1]
	if strings.Contains(from, "@") {
		return z.change(func(t *tx) int { return z.renameSnap(t, o, from, to) })
	}
	return z.change(func(t *tx) int { return z.renameSet(t, o, from, to) })
}

func (z *cmd) renameSnap(t *tx, o *options, from, to string) int {
	src, ok := z.openObject(t, from, takeSnapshot)
	if !ok {
		return -1
	}
	if strings.HasPrefix(to, "@") {
		to = src.d.name + to
	} else if !strings.Contains(to, "@") {
		to = src.d.name + "@" + to
	}
	name, short, _ := strings.Cut(to, "@")
	switch {
	case name != src.d.name:
		return -z.fail(1, "cannot rename to '%s': snapshots must be part of same dataset", to)
	case badName(to, takeSnapshot, true) != "":
		return -z.fail(1, "cannot rename to '%s': %s", to, badName(to, takeSnapshot, true))
	}
	sets := []*ds{src.d}
	if o.has('r') {
		sets = t.tree(src.d.name, -1)
	}
	old := src.v.name
	for _, d := range sets {
		if t.find(d, "@"+old) != nil && t.find(d, "@"+short) != nil {
			return -z.fail(1, "cannot rename '%s': dataset already exists", from)
		}
	}
	for _, d := range sets {
		v := t.find(d, "@"+old)
		if v == nil {
			continue
		}
		t.do(opMove, t.rel(d.name, treeOf(v)), t.rel(d.name, "@zfs/snapshot/"+short))
		was := v.full(d)
		v.name = short
		d.moved = true
		t.changed(d, v)
		for clone, origin := range d.pool.Clones {
			if origin == was {
				t.setOrigin(clone, v.full(d))
			}
		}
	}
	return 0
}

func (z *cmd) renameSet(t *tx, o *options, from, to string) int {
	src, ok := z.openObject(t, from, takeSet)
	if !ok {
		return -1
	}
	if why := badName(to, takeSet, true); why != "" {
		return -z.fail(1, "cannot rename to '%s': %s", to, why)
	}
	parent := parentOf(to)
	if o.has('p') && poolOf(to) == src.d.pool.Name {
		if code := z.createParents(t, parent, false); code != 0 {
			return code
		}
	}
	switch {
	case parent == "":
		return -z.fail(1, "cannot create '%s': missing dataset name", to)
	case t.pool(poolOf(to)) == nil:
		return -z.fail(1, "cannot create '%s': no such pool '%s'", to, poolOf(to))
	case t.get(parent) == nil:
		return -z.fail(1, "cannot create '%s': parent does not exist", to)
	case poolOf(to) != src.d.pool.Name:
		return -z.fail(1, "cannot rename to '%s': datasets must be within same pool", to)
	case strings.HasPrefix(to, from+"/"):
		return -z.fail(1, "cannot rename to '%s': New dataset name cannot be a descendant of current dataset name", to)
	case t.get(to) != nil:
		return -z.fail(1, "cannot rename '%s': dataset already exists", from)
	case t.get(parent).Volume:
		return -z.fail(1, "cannot create '%s': parent is not a filesystem", to)
	}
	if t.leavesRoot(src.d, t.get(parent)) {
		return -z.fail(1, "cannot rename '%s': cannot move encrypted child outside of its encryption root", from)
	}
	if !z.permitted(t, src.d, "rename") || !z.permitted(t, t.get(parent), "create") {
		return -z.fail(1, "cannot rename '%s': %s", from, z.denied)
	}
	sets := t.tree(from, -1)
	for _, d := range sets {
		n := to + strings.TrimPrefix(d.name, from)
		for _, v := range t.versions(d) {
			if len(n)+1+len(v.name) > maxName || len(n) > maxName {
				return -z.fail(1, "cannot rename '%s': name too long", from)
			}
		}
		if t.receivingInto(d) {
			return -z.fail(1, "cannot rename '%s': dataset is busy", from)
		}
	}
	return z.moveSets(t, sets, from, to)
}

// leavesRoot reports whether an encrypted dataset without a key of its own
// would come below another encryption root, or none.
func (t *tx) leavesRoot(d, parent *ds) bool {
	return d.Crypt != "" && d.Key == nil && t.cryptRoot(parent) != t.cryptRoot(d)
}

// moveSets moves a dataset's directory, and with it all that is below.
func (z *cmd) moveSets(t *tx, sets []*ds, from, to string) int {
	was := t.leave(sets)
	for _, d := range sets {
		if d.Volume {
			t.volumeLink(d, false)
		}
	}
	t.do(opMove, t.rel(from), t.rel(to))
	for _, d := range sets {
		old := d.name
		d.name = to + strings.TrimPrefix(old, from)
		t.sets[old] = nil
		t.sets[d.name] = d
		d.dirty = true
		delete(t.kids, old)
		if origin, ok := d.pool.Clones[old]; ok {
			delete(d.pool.Clones, old)
			d.pool.Clones[d.name] = origin
			d.pool.dirty = true
		}
		for clone, origin := range d.pool.Clones {
			if name, snap, _ := strings.Cut(origin, "@"); name == old {
				d.pool.Clones[clone] = d.name + "@" + snap
				d.pool.dirty = true
			}
		}
		if d.Volume {
			t.volumeLink(d, true)
		}
	}
	for clone, origin := range sets[0].pool.Clones {
		if c := t.get(clone); c != nil && c.Origin != origin {
			c.Origin, c.dirty = origin, true
		}
	}
	t.kids = map[string][]string{}
	for _, m := range was {
		if t.mountable(m) != "" {
			continue
		}
		t.mountStaged(m)
	}
	return 0
}
