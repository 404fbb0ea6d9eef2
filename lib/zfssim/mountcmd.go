package zfssim

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

func (z *cmd) mountCmd(args []string) int {
	o, err := getopt(args, "afvlRo:O", nil)
	if err != nil {
		return z.usage("%v", err)
	}
	switch {
	case o.has('a') && len(o.args) > 0:
		return z.usage("too many arguments")
	case o.has('a'):
		return z.change(z.mountAll)
	case len(o.args) == 0:
		return z.look(z.mountList)
	case len(o.args) > 1:
		return z.usage("too many arguments")
	}
	return z.change(func(t *tx) int {
		target, ok := z.openObject(t, o.args[0], takeFS)
		if !ok {
			return -1
		}
		d := target.d
		at, _ := t.mountSetting(d)
		if o.has('l') && t.keyMissing(d) {
			if why := z.loadOne(t, &options{}, t.cryptRoot(d)); why != "" {
				return -z.fail(1, "Key load error: %s", why)
			}
		}
		why := t.mountable(d)
		switch {
		case at == "legacy":
			return -z.fail(1, "cannot mount '%s': legacy mountpoint\nuse mount(8) to mount this filesystem", d.name)
		case d.New && why != "":
			return -z.fail(1, "cannot mount '%s': Contains partially-completed state from \"zfs receive -s\", which can be resumed with \"zfs send -t\"", d.name)
		case why != "":
			return -z.fail(1, "cannot mount '%s': %s", d.name, why)
		}
		if err := t.mount(d); err != nil {
			return -z.mountFailed(d, err)
		}
		return 0
	})
}

func (z *cmd) mountAll(t *tx) int {
	for _, p := range t.poolNames() {
		for _, d := range t.tree(p, -1) {
			if d.Volume || d.Mounted {
				continue
			}
			if err := t.automount(d); err != nil {
				return -z.mountFailed(d, err)
			}
		}
	}
	return 0
}

func (z *cmd) mountList(t *tx) int {
	for _, p := range t.poolNames() {
		for _, d := range t.tree(p, -1) {
			if d.Mounted {
				fmt.Fprintf(z.out, "%-30s  %s\n", d.name, t.mountedAt(d))
			}
		}
	}
	return 0
}

func (z *cmd) unmountCmd(args []string) int {
	o, err := getopt(args, "afu", nil)
	if err != nil {
		return z.usage("%v", err)
	}
	switch {
	case o.has('a'):
		return z.change(func(t *tx) int {
			for _, p := range t.poolNames() {
				t.unmountTree(t.tree(p, -1))
			}
			return 0
		})
	case len(o.args) == 0:
		return z.usage("missing filesystem argument")
	case len(o.args) > 1:
		return z.usage("too many arguments")
	}
	return z.change(func(t *tx) int {
		name := o.args[0]
		if strings.HasPrefix(name, "/") {
			for _, p := range t.poolNames() {
				for _, d := range t.tree(p, -1) {
					if d.Mounted && t.mountedAt(d) == filepath.Clean(name) {
						name = d.name
					}
				}
			}
		}
		target, ok := z.openObject(t, name, takeFS)
		switch {
		case !ok:
			return -1
		case !target.d.Mounted:
			return -z.fail(1, "cannot unmount '%s': not currently mounted", name)
		}
		t.unmountTree(t.below(target.d))
		return 0
	})
}

// below lists d and every dataset mounted somewhere inside its mountpoint.
func (t *tx) below(d *ds) []*ds {
	at := t.mountedAt(d)
	all := []*ds{d}
	for _, x := range t.tree(d.pool.Name, -1) {
		if x != d && x.Mounted && strings.HasPrefix(t.mountedAt(x), at+"/") {
			all = append(all, x)
		}
	}
	slices.SortStableFunc(all[1:], func(a, b *ds) int { return len(a.At) - len(b.At) })
	return all
}
