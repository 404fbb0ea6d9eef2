package zfssim

import "os"

// mountFrom mounts a dataset whose contents are a tree that is not committed yet.
func (t *tx) mountFrom(d *ds, tree string) error {
	if err := t.blocked(d); err != nil {
		return err
	}
	dir, err := t.staged()
	if err != nil {
		return err
	}
	if err := copyTree(tree, dir); err != nil {
		return err
	}
	at, _ := t.mountSetting(d)
	t.place(d, dir, at)
	return nil
}

// volumeLive gives a received volume its own file, to which the link in
// dev/zvol leads.
func (z *cmd) volumeLive(t *tx, d *ds, tree string) int {
	dir, err := t.staged()
	if err == nil {
		err = copyTree(tree, dir)
	}
	if err != nil {
		return -z.fail(1, "cannot receive: %v", err)
	}
	d.Clean = 0
	t.do(opMove, dir, t.rel(d.name, "@live"))
	t.volumeLink(d, true)
	return 0
}

// resize changes the size of a volume's file.
func (z *cmd) resize(t *tx, d *ds, size string) int {
	n, _ := parseSize(size)
	if err := os.Truncate(t.dir(d.name, "@live", "vol"), int64(n)); err != nil {
		return z.fail(1, "cannot set property for '%s': %v", d.name, err)
	}
	return 0
}
