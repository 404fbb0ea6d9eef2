package zfssim

import (
	"path/filepath"
	"strings"
)

func (z *cmd) clone(args []string) int {
	o, err := getopt(args, "o:pu", nil)
	if err != nil {
		return z.usage("%v", err)
	}
	props, code := z.assignments(o.vals['o'])
	if code != 0 {
		return code
	}
	switch {
	case len(o.args) == 0:
		return z.usage("missing source dataset argument")
	case len(o.args) == 1:
		return z.usage("missing target dataset argument")
	case len(o.args) > 2:
		return z.usage("too many arguments")
	}
	return z.change(func(t *tx) int { return z.cloneIn(t, o, o.args[0], o.args[1], props) })
}

func (z *cmd) cloneIn(t *tx, o *options, src, name string, props map[string]string) int {
	from, ok := z.openObject(t, src, takeSnapshot)
	if !ok {
		return -1
	}
	if o.has('p') && badName(name, takeSet, true) == "" && poolOf(name) == from.d.pool.Name {
		if t.get(name) != nil {
			return 0
		}
		if code := z.createParents(t, parentOf(name), o.has('u')); code != 0 {
			return code
		}
	}
	why := ""
	switch {
	case badName(name, takeSet, true) != "":
		why = badName(name, takeSet, true)
	case t.get(parentOf(name)) == nil:
		why = "parent does not exist"
	case poolOf(name) != from.d.pool.Name:
		why = "source and target pools differ"
	case t.get(name) != nil:
		why = "dataset already exists"
	case t.get(parentOf(name)).Volume:
		why = "parent is not a filesystem"
	case !z.permitted(t, t.get(parentOf(name)), "create"), !z.permitted(t, from.d, "clone"):
		why = z.denied
	}
	if why != "" {
		return -z.fail(1, "cannot create '%s': %s", name, why)
	}
	takes := takeFS
	if from.d.Volume {
		takes = takeVolume
	}
	checked, ok := z.checkSettings(t, name, props, takes, "create")
	if !ok {
		return -1
	}
	d := t.addSet(name, from.d.Volume)
	d.Origin, d.Props, d.Crypt, d.KeyGUID = src, checked, from.d.Crypt, from.d.KeyGUID
	for _, p := range []string{"volsize", "volblocksize"} {
		if v, ok := from.d.own(p); ok {
			d.Props[p] = v.text
		}
	}
	if d.pool.Clones == nil {
		d.pool.Clones = map[string]string{}
	}
	d.pool.Clones[name] = src
	d.pool.dirty = true
	dir, err := t.staged()
	if err == nil {
		err = copyTree(t.dir(from.d.name, treeOf(from.v)), dir)
	}
	if err != nil {
		return -z.fail(1, "cannot create '%s': %v", name, err)
	}
	t.do(opMove, dir, t.rel(name, "@live"))
	if d.Volume {
		t.volumeLink(d, true)
	}
	if o.has('u') {
		return 0
	}
	v, _ := d.own("canmount")
	at, _ := t.mountSetting(d)
	switch why := t.mountable(d); {
	case d.Volume, v.text == "noauto", why != "" && !t.keyMissing(d):
		return 0
	case why != "":
		return z.fail(z.trait().notMounted, "cannot mount '%s': %s\nfilesystem successfully created, but not mounted", filepath.Join(t.altroot(d.pool), at), why)
	}
	t.mountStaged(d)
	return 0
}

// mountStaged mounts a dataset whose @live is on its way there.
func (t *tx) mountStaged(d *ds) {
	at, _ := t.mountSetting(d)
	t.do(opMkdir, t.rel(d.name, "@live"), "")
	t.place(d, t.rel(d.name, "@live"), at)
}

func (z *cmd) promote(args []string) int {
	o, err := getopt(args, "", nil)
	if err != nil {
		return z.usage("%v", err)
	}
	switch {
	case len(o.args) == 0:
		return z.usage("missing clone filesystem argument")
	case len(o.args) > 1:
		return z.usage("too many arguments")
	}
	return z.change(func(t *tx) int { return z.promoteIn(t, o.args[0]) })
}

// promoteIn moves the origin and the snapshots before it to the clone.
func (z *cmd) promoteIn(t *tx, name string) int {
	target, ok := z.openObject(t, name, takeSet)
	if !ok {
		return -1
	}
	d := target.d
	od, ov := t.lookup(d.Origin)
	if ov == nil {
		return -z.fail(1, "cannot promote '%s': not a cloned filesystem", name)
	}
	if od.Crypt != "" && od.Origin == "" && od.Key == nil && t.cryptRoot(t.get(parentOf(od.name))) != t.cryptRoot(t.get(parentOf(d.name))) {
		return -z.fail(1, "cannot promote '%s': cannot promote dataset outside its encryption root", name)
	}
	var moving []*version
	for _, v := range t.snapshots(od) {
		if v.txg <= ov.txg {
			if t.find(d, "@"+v.name) != nil {
				return -z.fail(1, "cannot promote '%s': snapshot name '%s' from origin \nconflicts with '%s' from target", name, v.full(od), v.name)
			}
			moving = append(moving, v)
		}
	}
	if od.Clean != 0 && !od.Mounted {
		t.ownLive(od)
	}
	for _, v := range moving {
		t.do(opMove, t.rel(od.name, treeOf(v)), t.rel(d.name, treeOf(v)))
		t.dropVersion(od, v)
		was := d.Changed // which stays as it is, as in ZFS
		t.addVersion(d, v)
		d.Changed = was
		for clone, origin := range d.pool.Clones {
			if origin == v.full(od) && clone != d.name {
				t.setOrigin(clone, v.full(d))
			}
		}
	}
	grand := od.Origin
	delete(d.pool.Clones, d.name)
	t.setOrigin(od.name, ov.full(d))
	d.Origin = grand
	if grand != "" {
		d.pool.Clones[d.name] = grand
	}
	d.dirty, d.pool.dirty = true, true
	return 0
}

func (t *tx) setOrigin(clone, origin string) {
	c := t.get(clone)
	if c == nil {
		return
	}
	c.Origin, c.dirty = origin, true
	if c.pool.Clones == nil {
		c.pool.Clones = map[string]string{}
	}
	c.pool.Clones[clone] = origin
	c.pool.dirty = true
}

func (z *cmd) rollback(args []string) int {
	o, err := getopt(args, "rRf", nil)
	if err != nil {
		return z.usage("%v", err)
	}
	switch {
	case len(o.args) == 0:
		return z.usage("missing dataset argument")
	case len(o.args) > 1:
		return z.usage("too many arguments")
	}
	return z.change(func(t *tx) int { return z.rollbackIn(t, o, o.args[0]) })
}

func (z *cmd) rollbackIn(t *tx, o *options, full string) int {
	target, ok := z.openObject(t, full, takeSnapshot)
	if !ok {
		return -1
	}
	d, to := target.d, target.v
	var later []*version
	var names, clones []string
	for _, kind := range []byte("@#") {
		for _, v := range t.versions(d) {
			if v.kind == kind && v.txg > to.txg {
				later = append(later, v)
				names = append(names, v.full(d))
				if kind == '@' {
					clones = append(clones, t.clonesOf(object{d, v})...)
				}
			}
		}
	}
	deep := o.has('R')
	switch {
	case !z.permitted(t, d, "rollback"):
		return -z.fail(1, "cannot rollback '%s': %s", d.name, z.denied)
	case len(clones) > 0 && !deep && o.has('r'):
		return -z.fail(1, "cannot rollback to '%s': clones of previous snapshots exist\nuse '-R' to force deletion of the following clones and dependents:\n%s", full, strings.Join(clones, "\n"))
	case len(later) > 0 && !deep && !o.has('r'):
		return -z.fail(1, "cannot rollback to '%s': more recent snapshots or bookmarks exist\nuse '-r' to force deletion of the following snapshots and bookmarks:\n%s", full, strings.Join(names, "\n"))
	}
	for _, c := range clones {
		for _, x := range t.tree(c, -1) {
			t.removeSet(x)
		}
	}
	for _, v := range later { // bookmarks go first, and stay gone where a hold stops the rest
		if v.kind == '#' {
			t.removeVersion(d, v)
		}
	}
	for _, v := range later {
		if v.kind == '@' && len(v.Holds) > 0 {
			return z.fail(1, "cannot destroy '%s': dataset is busy", v.full(d))
		}
	}
	for _, v := range later {
		if v.kind == '@' {
			t.removeVersion(d, v)
		}
	}
	if err := t.restore(d, to); err != nil {
		return -z.fail(1, "cannot rollback '%s': %v", d.name, err)
	}
	return 0
}

// restore gives d the contents of its snapshot again.
func (t *tx) restore(d *ds, to *version) error {
	tree := t.dir(d.name, treeOf(to))
	if d.Volume {
		dir, err := t.staged()
		if err == nil {
			err = copyTree(tree, dir)
		}
		t.do(opRemove, t.rel(d.name, "@live"), "")
		t.do(opMove, dir, t.rel(d.name, "@live"))
		return err
	}
	mounted := d.Mounted
	was := t.unmountTree(t.tree(d.name, -1))
	t.do(opRemove, t.rel(d.name, "@live"), "")
	d.Clean, d.Touched, d.dirty = to.guid, false, true
	for _, m := range was {
		var err error
		if m == d && mounted {
			err = t.mountFrom(d, tree)
		} else {
			err = t.mount(m)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
