package zfssim

import (
	"fmt"
)

func (z *cmd) loadKey(args []string) int {
	o, err := getopt(args, "nraL:", nil)
	if err != nil {
		return z.usage("%v", err)
	}
	done := "loaded"
	if o.has('n') {
		done = "verified"
	}
	if l, ok := o.val('L'); ok && l != "prompt" && (o.has('a') || o.has('r')) {
		return z.usage("alternate keylocation may only be 'prompt' with -r or -a")
	}
	return z.keys(o, "Key load error", done, func(t *tx, d *ds) string { return z.loadOne(t, o, d) })
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
	case len(o.args) > 0 && o.has('a'):
		return z.usage("Cannot specify dataset with -a option")
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
		many := o.has('a') || o.has('r')
		good, tried := 0, 0
		for _, d := range roots {
			if many && d.Key.Loaded == (done != "unloaded") {
				continue // as it is to be
			}
			tried++
			if why := f(t, d); why != "" {
				z.fail(1, "%s: %s", complaint, why)
				continue
			}
			good++
		}
		if o.has('n') || many && tried > 0 {
			fmt.Fprintf(z.out, "%d / %d key(s) successfully %s\n", good, tried, done)
		}
		if good < tried {
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
	text, err := z.readKey(d.Key.Format, location, false)
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
	case o.has('i') && len(props) > 0:
		return z.usage("Properties not allowed for inheriting")
	}
	return z.change(func(t *tx) int {
		target, ok := z.openObject(t, o.args[0], takeSet)
		if !ok {
			z.printUsage(z.err)
			return -2
		}
		d := target.d
		if root := t.cryptRoot(d); o.has('l') && (root == nil || !root.Key.Loaded) {
			if why := z.loadOne(t, &options{}, d); why != "" {
				return -z.fail(255, "Key load error: %s", why)
			}
		}
		if why := z.rekey(t, d, props, o.has('i')); why != "" {
			return -z.fail(255, "%s", why)
		}
		return 0
	})
}

// rekey is zfs_crypto_rewrap.
func (z *cmd) rekey(t *tx, d *ds, props map[string]string, inherit bool) string {
	const lead = "Key change error: "
	root := t.cryptRoot(d)
	switch {
	case root == nil:
		return lead + "Dataset not encrypted."
	case d.Origin != "":
		return lead + "Keys cannot be changed on clones."
	case inherit:
		if why := t.refuseInherit(d); why != "" {
			return lead + why
		}
		d.Key, d.dirty = nil, true
		t.rewrap(d)
		return ""
	}
	for name, text := range props {
		if name != "keyformat" && name != "keylocation" && name != "pbkdf2iters" {
			return lead + "Only keyformat, keylocation and pbkdf2iters may be set with this command."
		}
		if _, why := z.checkSetting(name, text, takeSet, "change"); why != "" {
			return lead + why + "\n" + lead + "encryption failure"
		}
	}
	k := key{Location: "prompt"}
	if d.Key != nil {
		k = *d.Key
	}
	k.Format, k.Location, k.Salt = or(props["keyformat"], k.Format), or(props["keylocation"], k.Location), hexGUID()
	if k.Format == "" {
		return lead + "Keyformat required for new encryption root."
	}
	k.Iters = ""
	switch {
	case k.Format == "passphrase":
		k.Iters = or(props["pbkdf2iters"], "350000")
	case props["pbkdf2iters"] != "":
		return lead + "Cannot specify pbkdf2iters with a non-passphrase keyformat."
	}
	text, err := z.readKey(k.Format, k.Location, true)
	switch {
	case err != nil:
		return lead + err.Error()
	case !root.Key.Loaded:
		return lead + "Key must be loaded."
	}
	k.Loaded, k.Hash = true, k.hash(text)
	d.Key, d.dirty = &k, true
	t.rewrap(d)
	return ""
}

// refuseInherit says why a dataset cannot have its parent's key.
func (t *tx) refuseInherit(d *ds) string {
	parent := t.get(parentOf(d.name))
	switch {
	case d.Key == nil:
		return "Key inheritting can only be performed on encryption roots."
	case parent == nil:
		return "Root dataset cannot inherit key."
	case parent.Crypt == "":
		return "Parent must be encrypted."
	case t.keyMissing(parent):
		return "Parent key must be loaded."
	case !d.Key.Loaded:
		return "Key must be loaded."
	}
	return ""
}
