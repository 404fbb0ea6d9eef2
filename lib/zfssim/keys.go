package zfssim

import (
	"fmt"
)

func (z *cmd) loadKey(args []string) int {
	o, err := getopt(args, "nraL:", nil)
	if err != nil {
		return z.usage("%v", err)
	}
	return z.keys(o, "Key load error", "loaded", func(t *tx, d *ds) string { return z.loadOne(t, o, d) })
}

func (z *cmd) unloadKey(args []string) int {
	o, err := getopt(args, "ra", nil)
	if err != nil {
		return z.usage("%v", err)
	}
	return z.keys(o, "Key unload error", "unloaded", z.unloadOne)
}

func (z *cmd) keys(o *options, complaint, done string, f func(*tx, *ds) string) int {
	switch {
	case len(o.args) == 0 && !o.has('a'):
		return z.usage("Missing dataset argument or -a option")
	case len(o.args) > 1:
		return z.usage("Too many arguments")
	}
	return z.change(func(t *tx) int {
		var roots []*ds
		if o.has('a') {
			for _, p := range t.poolNames() {
				roots = append(roots, t.keyRoots(p)...)
			}
		} else {
			target, ok := z.openObject(t, o.args[0], takeSet)
			if !ok {
				return -1
			}
			roots = []*ds{target.d}
			if o.has('r') {
				roots = t.keyRoots(target.d.name)
			}
		}
		good := 0
		for _, d := range roots {
			if why := f(t, d); why != "" {
				z.fail(1, "%s: %s", complaint, why)
				continue
			}
			good++
		}
		if o.has('a') || o.has('r') {
			fmt.Fprintf(z.out, "%d / %d key(s) successfully %s\n", good, len(roots), done)
		}
		if good < len(roots) {
			return 255
		}
		return 0
	})
}

func (t *tx) keyRoots(name string) []*ds {
	var out []*ds
	for _, d := range t.tree(name, -1) {
		if d.Key != nil {
			out = append(out, d)
		}
	}
	return out
}

func (z *cmd) loadOne(t *tx, o *options, d *ds) string {
	root := t.cryptRoot(d)
	switch {
	case root == nil:
		return fmt.Sprintf("'%s' is not encrypted.", d.name)
	case root != d:
		return fmt.Sprintf("Keys must be loaded for encryption root of '%s' (%s).", d.name, root.name)
	case d.Key.Loaded && !o.has('n'):
		return fmt.Sprintf("Key already loaded for '%s'.", d.name)
	}
	location := d.Key.Location
	if l, ok := o.val('L'); ok {
		location = l
	}
	text, err := z.readKey(d.Key.Format, location)
	switch {
	case err != nil:
		return err.Error()
	case d.Key.hash(text) != d.Key.Hash:
		return fmt.Sprintf("Incorrect key provided for '%s'.", d.name)
	case o.has('n'):
		return ""
	}
	d.Key.Loaded, d.dirty = true, true
	return ""
}

func (z *cmd) unloadOne(t *tx, d *ds) string {
	root := t.cryptRoot(d)
	switch {
	case root == nil:
		return fmt.Sprintf("'%s' is not encrypted.", d.name)
	case root != d:
		return fmt.Sprintf("Keys must be unloaded for encryption root of '%s' (%s).", d.name, root.name)
	case !d.Key.Loaded:
		return fmt.Sprintf("Key already unloaded for '%s'.", d.name)
	}
	for _, k := range t.tree(d.name, -1) {
		if k.Mounted && t.cryptRoot(k) == d {
			return fmt.Sprintf("'%s' is busy.", d.name)
		}
	}
	d.Key.Loaded, d.dirty = false, true
	return ""
}

func (z *cmd) changeKey(args []string) int {
	o, err := getopt(args, "lio:", nil)
	if err != nil {
		return z.usage("%v", err)
	}
	props, code := z.assignments(o.vals['o'])
	switch {
	case code != 0:
		return code
	case len(o.args) == 0:
		return z.usage("Missing dataset argument")
	case len(o.args) > 1:
		return z.usage("Too many arguments")
	}
	return z.change(func(t *tx) int {
		target, ok := z.openObject(t, o.args[0], takeSet)
		if !ok {
			return -1
		}
		d := target.d
		root := t.cryptRoot(d)
		switch {
		case root == nil:
			return -z.fail(255, "Key change error: Dataset not encrypted.")
		case !root.Key.Loaded:
			return -z.fail(255, "Key change error: Key must be loaded.")
		case o.has('i') && d.Key != nil:
			d.Key, d.dirty = nil, true
			return 0
		}
		k := *root.Key
		k.Format, k.Location, k.Salt = or(props["keyformat"], k.Format), or(props["keylocation"], k.Location), hexGUID()
		text, err := z.readKey(k.Format, k.Location)
		if err != nil {
			return -z.fail(255, "Key change error: %v", err)
		}
		k.Hash = k.hash(text)
		d.Key, d.dirty = &k, true
		return 0
	})
}
