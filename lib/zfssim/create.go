package zfssim

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

func (z *cmd) create(args []string) int {
	o, err := getopt(args, "b:nPsuvo:pV:", nil)
	if err != nil {
		return z.usage("%v", err)
	}
	props, code := z.assignments(o.vals['o'])
	if code != 0 {
		return code
	}
	if len(o.args) == 0 {
		return z.usage("missing %s argument", kindWord(o.has('V')))
	}
	if len(o.args) > 1 {
		return z.usage("too many arguments")
	}
	if b, ok := o.val('b'); ok {
		props["volblocksize"] = b
	}
	return z.change(func(t *tx) int { return z.createIn(t, o, o.args[0], props) })
}

func kindWord(volume bool) string {
	if volume {
		return "volume"
	}
	return "filesystem"
}

// assignments reads -o name=value pairs.
func (z *cmd) assignments(pairs []string) (map[string]string, int) {
	props := map[string]string{}
	for _, pair := range pairs {
		name, text, ok := strings.Cut(pair, "=")
		if !ok {
			return nil, z.fail(1, "missing '=' for property=value argument")
		}
		if p := native(name); p != nil {
			name = p.name
		}
		if _, twice := props[name]; twice {
			return nil, z.fail(1, "property '%s' specified multiple times", name)
		}
		props[name] = text
	}
	return props, 0
}

func (z *cmd) createIn(t *tx, o *options, name string, props map[string]string) int {
	takes := takeFS
	if o.has('V') {
		takes = takeVolume
		size, _ := o.val('V')
		n, ok := parseSize(size)
		switch {
		case !ok:
			return -z.fail(1, "bad volume size '%s': bad numeric value '%s'", size, size)
		case n == 0:
			return -z.fail(1, "cannot create '%s': volume size cannot be zero", name)
		}
		props["volsize"] = strconv.FormatUint(n, 10)
	}
	if why := badName(name, takeFS, true); why != "" {
		return -z.fail(1, "cannot create '%s': %s", name, why)
	}
	if !strings.Contains(name, "/") {
		return -z.fail(1, "cannot create '%s': missing dataset name", name)
	}
	if t.pool(poolOf(name)) == nil {
		return -z.fail(1, "cannot create '%s': no such pool '%s'", name, poolOf(name))
	}
	if depthOf(name) > maxDepth {
		return -z.fail(1, "cannot create '%s': maximum name nesting depth exceeded", name)
	}
	if t.get(name) != nil {
		if o.has('p') {
			return 0
		}
		return -z.fail(1, "cannot create '%s': dataset already exists", name)
	}
	if o.has('p') {
		if code := z.createParents(t, parentOf(name), o.has('u')); code != 0 {
			return code
		}
	}
	checked, ok := z.checkSettings(t, name, props, takes, "create")
	if !ok {
		return -1
	}
	z.warnBlock(checked)
	parent := t.get(parentOf(name))
	switch {
	case parent == nil:
		return -z.fail(1, "cannot create '%s': parent does not exist", name)
	case parent.Volume:
		return -z.fail(1, "cannot create '%s': parent is not a filesystem", name)
	case !z.permitted(t, parent, "create", "mount"), !z.permitted(t, parent, permsOf(checked)...):
		return -z.fail(1, "cannot create '%s': %s", name, z.denied)
	case o.has('n'):
		return 0
	case t.tooBig(parent, checked):
		return -z.fail(1, "cannot create '%s': out of space", name)
	}
	if _, set := checked["refreservation"]; o.has('V') && !set && !o.has('s') {
		checked["refreservation"] = "auto"
	}
	d, code := z.newSet(t, name, o.has('V'), checked)
	if d == nil {
		return code
	}
	if o.has('v') {
		fmt.Fprintf(z.out, "create %s\n", name)
	}
	if !o.has('u') {
		return z.mountNew(t, d)
	}
	return 0
}

func (t *tx) tooBig(parent *ds, props map[string]string) bool {
	size, _ := strconv.ParseUint(props["volsize"], 10, 64)
	if t.cannotReserve(parent) {
		return true
	}
	return size > 0 && size > t.room(parent)
}

// cannotReserve is ENOSPC on a pool that is full.
func (t *tx) cannotReserve(d *ds) bool {
	_, err := os.Stat(t.path("full-" + d.pool.Name))
	return err == nil
}

func (z *cmd) mountNew(t *tx, d *ds) int {
	if d.Volume {
		return 0
	}
	if err := t.automount(d); err != nil {
		return z.createdUnmounted(d, err)
	}
	return 0
}

func (z *cmd) createParents(t *tx, name string, unmounted bool) int {
	if name == "" || t.get(name) != nil {
		return 0
	}
	if code := z.createParents(t, parentOf(name), unmounted); code != 0 {
		return code
	}
	if p := t.get(parentOf(name)); p != nil && p.Volume {
		return -z.fail(1, "cannot create '%s': parent is not a filesystem", name)
	}
	d, code := z.newSet(t, name, false, map[string]string{})
	if d == nil {
		return code
	}
	if unmounted {
		return 0
	}
	if err := t.automount(d); err != nil {
		return z.mountFailed(d, err)
	}
	return 0
}

// createdUnmounted tells of a dataset that is there all the same.
func (z *cmd) createdUnmounted(d *ds, err error) int {
	z.mountFailed(d, err)
	return z.fail(z.trait().notMounted, "filesystem successfully created, but not mounted")
}

// newSet adds a dataset to the transaction; the caller has checked the name.
func (z *cmd) newSet(t *tx, name string, volume bool, props map[string]string) (*ds, int) {
	d := t.addSet(name, volume)
	d.Props = props
	if code := z.encrypt(t, d); code != 0 {
		return nil, code
	}
	if volume {
		if _, ok := props["volblocksize"]; !ok {
			props["volblocksize"] = strconv.FormatUint(z.trait().volblock, 10)
		}
		d.reserveAuto()
		return d, z.makeVolume(t, d)
	}
	return d, 0
}

// addSet registers an empty dataset.
func (t *tx) addSet(name string, volume bool) *ds {
	p := t.pool(poolOf(name))
	d := &ds{name: name, pool: p, known: true, dirty: true}
	d.meta = meta{Volume: volume, GUID: newGUID(), TXG: t.txg(p), Creation: t.now, ID: t.nextID(p)}
	t.sets[name] = d
	t.do(opMkdir, t.rel(name), "")
	if parent := parentOf(name); parent != "" {
		t.kids[parent] = append(t.children(parent), name)
	}
	return d
}

func (z *cmd) makeVolume(t *tx, d *ds) int {
	dir, err := t.staged()
	if err == nil {
		err = os.WriteFile(dir+"/vol", nil, 0o644)
	}
	if err == nil {
		size, _ := strconv.ParseInt(d.Props["volsize"], 10, 64)
		err = os.Truncate(dir+"/vol", size)
	}
	if err != nil {
		return -z.fail(1, "cannot create '%s': %v", d.name, err)
	}
	t.do(opMove, dir, t.rel(d.name, "@live"))
	t.volumeLink(d, true)
	return 0
}

// reserveAuto makes refreservation=auto of a volume what all its blocks and
// their metadata need (zvol_volsize_to_reservation in libzfs_dataset.c).
func (d *ds) reserveAuto() {
	if d.Props["refreservation"] == "auto" {
		d.Props["refreservation"] = strconv.FormatUint(d.wholeVolume(), 10)
	}
}

func (d *ds) wholeVolume() uint64 {
	const perLevel, indirect, copies = 1 << 10, 128 << 10, 2
	size, _ := strconv.ParseUint(d.Props["volsize"], 10, 64)
	block, _ := strconv.ParseUint(d.Props["volblocksize"], 10, 64)
	meta := uint64(7)
	for n := size / max(block, 1); n > 1; {
		n = (n + perLevel - 1) / perLevel
		meta += n
	}
	return size + meta*copies*indirect
}

// warnBlock says what OpenZFS thinks of small volume blocks.
func (z *cmd) warnBlock(props map[string]string) {
	least := z.trait().volblock
	if n, err := strconv.ParseUint(props["volblocksize"], 10, 64); err == nil && n < least {
		fmt.Fprintf(z.err, "Warning: volblocksize (%d) is less than the default minimum block size (%d).\nTo reduce wasted space a volblocksize of %d is recommended.\n", n, least, least)
	}
}
