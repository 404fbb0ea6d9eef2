package zfssim

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// altroot is what every mountpoint of the pool stands below.
func (t *tx) altroot(p *pool) string { return or(p.Altroot, t.path("mnt")) }

// mountpoint is the property: inherited ones continue with the rest of the
// name, and all stand below the alternative root.
func (t *tx) mountpoint(d *ds) value {
	text, source := t.mountSetting(d)
	if strings.HasPrefix(text, "/") {
		text = filepath.Join(t.altroot(d.pool), text)
	}
	return value{text, source, or(d.Received["mountpoint"], "-")}
}

func (t *tx) mountSetting(d *ds) (text, source string) {
	for at := d; at != nil; at = t.get(parentOf(at.name)) {
		if v, ok := at.own("mountpoint"); ok {
			if at != d {
				v.source = "inherited from " + at.name
			}
			if strings.HasPrefix(v.text, "/") {
				v.text = filepath.Join(v.text, strings.TrimPrefix(d.name, at.name))
			}
			return v.text, v.source
		}
		if parentOf(at.name) == "" {
			break
		}
	}
	return "/" + d.name, "default"
}

// live is where a dataset's present contents lie; what is not there is empty.
func (t *tx) live(d *ds) string {
	switch {
	case d.Mounted:
		return t.mountedAt(d)
	case d.Clean != 0:
		for _, v := range t.versions(d) {
			if v.kind == '@' && v.guid == d.Clean {
				return t.dir(d.name, treeOf(v))
			}
		}
	}
	return t.dir(d.name, "@live")
}

func (t *tx) mountedAt(d *ds) string { return filepath.Join(t.altroot(d.pool), d.At) }

// mountable says whether d would be mounted, and if not, what zfs mount says.
func (t *tx) mountable(d *ds) string {
	at, _ := t.mountSetting(d)
	v, _ := d.own("canmount")
	switch {
	case d.Volume:
		return "operation not applicable to datasets of this type"
	case v.text == "off":
		return "'canmount' property is set to 'off'"
	case at == "legacy":
		return "legacy mountpoint"
	case at == "none":
		return "no mountpoint set"
	case d.Mounted:
		return "filesystem already mounted"
	case t.keyMissing(d):
		return "encryption key not loaded"
	case t.unreadable(d):
		return "Permission denied"
	case d.New:
		return "dataset is busy"
	}
	return ""
}

// automount mounts d as create and import do: not where canmount=noauto.
func (t *tx) automount(d *ds) error {
	v, _ := d.own("canmount")
	if t.mountable(d) != "" || v.text == "noauto" {
		return nil
	}
	return t.mount(d)
}

// A blockedMount is a mountpoint that cannot be made.
type blockedMount struct{ at string }

func (b *blockedMount) Error() string { return "failed to create mountpoint: Read-only file system" }

// mountFailed says why d is not mounted.
func (z *cmd) mountFailed(d *ds, err error) int {
	name := d.name
	var b *blockedMount
	if errors.As(err, &b) {
		name = b.at
	}
	return z.fail(1, "cannot mount '%s': %v", name, err)
}

// blocked finds a mountpoint that would have to be made in a filesystem that
// is read-only.
func (t *tx) blocked(d *ds) error {
	setting, _ := t.mountSetting(d)
	at := filepath.Join(t.altroot(d.pool), setting)
	if _, err := os.Lstat(at); err == nil {
		return nil
	}
	for up := t.get(parentOf(d.name)); up != nil; up = t.get(parentOf(up.name)) {
		if up.Mounted && strings.HasPrefix(at, t.mountedAt(up)+"/") {
			if t.readOnly(up) && !up.pool.ReadOnly { // there, it was made before
				return &blockedMount{at}
			}
			return nil
		}
	}
	return nil
}

// mount moves the contents to the mountpoint.
func (t *tx) mount(d *ds) error {
	if err := t.blocked(d); err != nil {
		return err
	}
	at, _ := t.mountSetting(d)
	from := t.rel(d.name, "@live")
	if d.Clean != 0 {
		dir, err := t.staged()
		if err != nil {
			return err
		}
		if err := copyTree(t.live(d), dir); err != nil {
			return err
		}
		from = dir
	} else if _, err := os.Lstat(t.dir(d.name, "@live")); err != nil {
		t.do(opMkdir, from, "")
	}
	t.place(d, from, at)
	return nil
}

// place mounts d at the mountpoint at, its contents coming from a directory.
func (t *tx) place(d *ds, from, at string) {
	d.Mounted, d.At, d.Clean, d.dirty = true, at, 0, true
	if d.Raw { // ZFS counts users' space then, which no raw stream has
		d.Raw, d.Touched = false, true
	}
	t.ops = append(t.ops, op{verb: opMount, a: from, b: t.mountedAt(d), c: t.rel(d.name, "@under")})
	t.do(opMkdir, t.rel(d.name, "@zfs/snapshot"), "")
	t.linkZFS(d)
}

// linkZFS makes MOUNTPOINT/.zfs point to where the snapshots lie.
func (t *tx) linkZFS(d *ds) {
	at := t.mountedAt(d)
	if target, err := filepath.Rel(at, t.dir(d.name, "@zfs")); err == nil {
		t.do(opLink, filepath.Join(at, ".zfs"), target)
	}
}

// unmount moves the contents back below the dataset.
func (t *tx) unmount(d *ds) {
	if !d.Mounted {
		return
	}
	t.do(opMove, t.mountedAt(d), t.rel(d.name, "@live"))
	t.do(opUnder, t.rel(d.name, "@under"), t.mountedAt(d))
	d.Mounted, d.At, d.dirty = false, "", true
}

// unmountTree unmounts the datasets from the innermost outwards, so that none
// lies inside another that moves.
func (t *tx) unmountTree(sets []*ds) (was []*ds) {
	for i := len(sets) - 1; i >= 0; i-- {
		if sets[i].Mounted {
			was = append([]*ds{sets[i]}, was...)
			t.unmount(sets[i])
		}
	}
	return was
}

// leave unmounts datasets for good: their mountpoints go, too.
func (t *tx) leave(sets []*ds) []*ds {
	at := map[*ds]string{}
	for _, d := range sets {
		if d.Mounted {
			at[d] = t.mountedAt(d)
		}
	}
	was := t.unmountTree(sets)
	for _, d := range slices.Backward(was) {
		t.do(opRmdir, at[d], "")
	}
	return was
}

// volumeLink makes or removes a volume's file below ROOT/dev/zvol. With
// volmode=none it has none.
func (t *tx) volumeLink(d *ds, exists bool) {
	link := "dev/zvol/" + d.name
	if mode, _ := t.inherited(d, "volmode", false); !exists || mode.text == "none" {
		t.do(opRemove, link, "")
		return
	}
	target, err := filepath.Rel(filepath.Dir(t.path(link)), t.dir(d.name, "@live", "vol"))
	if err == nil {
		t.do(opLink, link, target)
	}
}

// relinkVolumes follows a change of volmode.
func (t *tx) relinkVolumes(sets []*ds) {
	for _, d := range sets {
		if d.Volume {
			t.volumeLink(d, true)
		}
	}
}

// isMount reports whether the directory is another dataset's mounted root.
func isMount(dir string) bool {
	info, err := os.Lstat(filepath.Join(dir, ".zfs"))
	return err == nil && info.Mode().Type() == fs.ModeSymlink
}
