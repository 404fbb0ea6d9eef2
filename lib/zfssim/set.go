package zfssim

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func (z *cmd) set(args []string) int {
	o, err := getopt(args, "u", nil)
	if err != nil {
		return z.usage("%v", err)
	}
	n := slices.IndexFunc(o.args, func(a string) bool { return !strings.Contains(a, "=") })
	switch {
	case len(o.args) == 0:
		return z.usage("missing arguments")
	case n == 0:
		return z.usage("missing property=value argument(s)")
	case n < 0:
		return z.usage("missing dataset name(s)")
	}
	props, code := z.assignments(o.args[:n])
	if code == 1 {
		code = 255
	}
	if code != 0 {
		return code
	}
	for _, arg := range o.args[n:] {
		if strings.Contains(arg, "=") {
			return z.usage("missing property=value argument(s)")
		}
	}
	result := 0
	for _, name := range o.args[n:] {
		if code := z.change(func(t *tx) int { return z.setOne(t, name, props, o.has('u')) }); code != 0 {
			result = code
		}
	}
	return result
}

func (z *cmd) setOne(t *tx, name string, props map[string]string, keep bool) int {
	target, ok := z.openObject(t, name, takeSet|takeSnapshot)
	if !ok {
		return -1
	}
	checked, ok := z.checkSettings(t, name, props, target.take(), "set")
	if !ok {
		return -t.trait.setFailed
	}
	if target.v != nil {
		setVersion(target, checked)
		return 0
	}
	if !z.permitted(t, target.d, permsOf(checked)...) {
		return -t.trait.setFailed * z.fail(1, "cannot set property for '%s': %s", name, z.denied)
	}
	if why := t.refuseSet(target.d, checked); why != "" {
		return -t.trait.setFailed * z.fail(1, "cannot set property for '%s': %s", name, why)
	}
	return z.applySet(t, target.d, checked, keep)
}

func setVersion(o object, props map[string]string) {
	if o.v.Props == nil {
		o.v.Props = map[string]string{}
	}
	maps.Copy(o.v.Props, props)
	o.d.moved = true
}

// refuseSet knows what depends on the dataset's state.
func (t *tx) refuseSet(d *ds, props map[string]string) string {
	for name, text := range props {
		n, _ := strconv.ParseUint(text, 10, 64)
		switch {
		case name == "quota" && n > 0 && n < t.used(d):
			return "size is less than current used or reserved space"
		case name == "refquota" && n > 0 && n < t.referenced(d):
			return "size is less than current used or reserved space"
		case (name == "reservation" || name == "refreservation") && n > t.available(d)+t.used(d):
			return "size is greater than available space"
		case name == "volsize" && t.readOnly(d):
			return "dataset is read-only"
		case name == "keylocation":
			return d.refuseLocation(text)
		}
	}
	return ""
}

// refuseLocation says why a key's material cannot be said to be there.
func (d *ds) refuseLocation(text string) string {
	switch {
	case !keyLocation(text) && text != "none":
		return "invalid keylocation"
	case d.Crypt == "" && text != "none":
		return "keylocation must be 'none' for unencrypted datasets"
	case d.Crypt == "":
		return ""
	case d.Key == nil:
		return "keylocation may only be set on encryption roots"
	case text == "none":
		return "keylocation must not be 'none' for encrypted datasets"
	}
	return ""
}

func keyLocation(text string) bool {
	for _, scheme := range []string{"file:///", "https://", "http://"} {
		if strings.HasPrefix(text, scheme) {
			return true
		}
	}
	return text == "prompt"
}

// applySet stores local settings and does what follows from them: a changed
// mountpoint moves everything that inherits it.
func (z *cmd) applySet(t *tx, d *ds, props map[string]string, keep bool) int {
	_, moves := props["mountpoint"]
	may := props["canmount"] == "on" && !d.Mounted
	var was []*ds
	switch {
	case keep:
	case moves:
		was = t.leave(t.tree(d.name, -1))
	case props["canmount"] == "off" && d.Mounted:
		was = t.unmountTree(t.below(d))
	}
	if d.Props == nil {
		d.Props = map[string]string{}
	}
	whole := d.Volume && d.Props["refreservation"] == strconv.FormatUint(d.wholeVolume(), 10)
	for name, text := range props {
		if name == "keylocation" {
			if d.Key != nil {
				d.Key.Location = text
			}
			continue
		}
		d.Props[name] = text
	}
	if _, ok := props["volmode"]; ok {
		t.relinkVolumes(t.tree(d.name, -1))
	}
	if _, set := props["refreservation"]; whole && !set {
		d.Props["refreservation"] = "auto" // grows and shrinks with volsize
	}
	d.reserveAuto()
	if size, ok := props["volsize"]; ok && d.Volume {
		if code := z.resize(t, d, size); code != 0 {
			return code
		}
	}
	d.dirty = true
	return z.remount(t, d, was, (moves || may) && !keep)
}

// remount mounts again what was mounted, and d itself where it now can be.
func (z *cmd) remount(t *tx, d *ds, was []*ds, also bool) int {
	switch {
	case also && t.trait.mountBelow:
		was = t.tree(d.name, -1)
	case also && !slices.Contains(was, d):
		was = append([]*ds{d}, was...)
	}
	for _, m := range was {
		v, _ := m.own("canmount")
		if t.mountable(m) != "" || also && v.text == "noauto" {
			continue
		}
		if err := t.mount(m); err != nil {
			return z.mountFailed(m, err)
		}
	}
	return 0
}

func (z *cmd) inherit(args []string) int {
	o, err := getopt(args, "rS", nil)
	if err != nil {
		return z.usage("%v", err)
	}
	switch len(o.args) {
	case 0:
		return z.usage("missing property argument")
	case 1:
		return z.usage("missing dataset argument")
	}
	prop := o.args[0]
	p := native(prop)
	switch {
	case p == nil && !isUser(prop):
		return z.usage("invalid property '%s'", prop)
	case p != nil && (p.readonly || p.once):
		return z.fail(1, "%s property is read-only", p.name)
	case p != nil && !p.inherit && !o.has('S') && p.name != "quota" && p.name != "canmount":
		return z.notInheritable(p)
	case p != nil && !o.has('S') && (p.name == "quota" || p.name == "canmount"):
		return z.notInheritable(p)
	}
	if p != nil {
		prop = p.name
	}
	result := 0
	for _, name := range o.args[1:] {
		if code := z.change(func(t *tx) int { return z.inheritOne(t, name, prop, o) }); code != 0 {
			result = 1
		}
	}
	return result
}

func (z *cmd) notInheritable(p *propdef) int {
	z.fail(1, "'%s' property cannot be inherited", p.name)
	switch p.name {
	case "quota", "reservation", "refquota", "refreservation":
		z.fail(1, "use 'zfs set %s=none' to clear\nuse 'zfs inherit -S %s' to revert to received value", p.name, p.name)
	}
	return 1
}

func (z *cmd) inheritOne(t *tx, name, prop string, o *options) int {
	target, ok := z.openObject(t, name, takeSet|takeSnapshot)
	if !ok {
		return -1
	}
	if target.v != nil {
		delete(target.v.Props, prop)
		if !o.has('S') {
			delete(target.v.Recvd, prop)
		}
		target.d.moved = true
		return 0
	}
	sets := []*ds{target.d}
	if o.has('r') {
		sets = t.tree(name, -1)
	}
	if target.d.pool.ReadOnly {
		return -z.fail(1, "cannot inherit %s for '%s': pool is read-only", prop, name)
	}
	var was []*ds
	if prop == "mountpoint" || prop == "canmount" {
		was = t.leave(t.tree(name, -1))
	}
	for _, d := range sets {
		delete(d.Props, prop)
		if _, ok := d.Received[prop]; ok {
			if d.Hidden == nil {
				d.Hidden = map[string]bool{}
			}
			d.Hidden[prop] = !o.has('S')
		}
		d.dirty = true
	}
	if prop == "volmode" {
		t.relinkVolumes(t.tree(name, -1))
	}
	return z.remount(t, target.d, was, prop == "mountpoint")
}

func (t *tx) readOnly(d *ds) bool {
	v, _ := t.prop(object{d: d}, "readonly", true)
	return v.text == "on"
}
