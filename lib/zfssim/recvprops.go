package zfssim

import "slices"

// props merges what the stream, -o and -x say of the dataset to be received.
func (r *receiving) props(t *tx, d *ds, sent *sentDS, fresh, top bool) {
	if sent != nil && sent.HasProps {
		d.Received = map[string]string{}
		for _, p := range sent.Received {
			if r.omit[p.name] || r.maySet(t, d, p.name) {
				r.receiveProp(d, p)
			}
		}
	}
	if d.Props == nil {
		d.Props = map[string]string{}
	}
	if top {
		for _, name := range withoutOrigin(sortedKeys(r.set)) {
			switch {
			case name == "keylocation" && d.Key != nil:
				d.Key.Location = r.set[name]
			case r.maySet(t, d, name):
				d.Props[name], _ = r.z.checkSetting(name, r.set[name], (object{d: d}).take(), "receive")
			}
		}
	}
	for _, name := range sortedKeys(r.omit) {
		if p := native(name); p != nil && p.takes&(object{d: d}).take() != 0 && name != "canmount" && !r.maySet(t, d, name) {
			continue
		}
		if _, ok := d.Received[name]; ok {
			if d.Hidden == nil {
				d.Hidden = map[string]bool{}
			}
			d.Hidden[name] = true
		}
		if fresh {
			delete(d.Props, name)
		}
	}
	d.dirty = true
}

// receiveProp takes one property of a stream, in the form that the kernel
// wants it (zfs_set_prop_nvlist): native ones that are no text as numbers.
func (r *receiving) receiveProp(d *ds, p nvpair) {
	def, text, ok := native(p.name), p.text, p.kind == nvString
	switch {
	case def == nil:
		ok = ok && isUser(p.name)
	case r.omit[p.name] && !def.inherit:
		return
	case def.name == "keylocation", def.takes&(object{d: d}).take() == 0:
		return
	case def.readonly:
		ok = false
	case p.kind == nvUint64:
		text, ok = propText(def, p.num)
	case ok:
		if _, number := propKind(def); number {
			_, known := propNumber(p.name, text)
			_, why := checkValue(def, text)
			ok = !known && why == ""
		}
	}
	if !ok {
		r.spoilt = append(r.spoilt, p.name)
		return
	}
	d.Received[canonical(p.name)] = text
}

// tellProps says which properties were refused. libzfs does not expect that
// of native ones, and aborts at the first.
func (r *receiving) tellProps(to *recvTarget) int {
	defer func() { r.spoilt = nil }()
	for _, name := range r.spoilt {
		if native(name) != nil {
			return r.z.fail(134, "internal error: cannot receive %s property on %s: Invalid argument", name, to.name)
		}
		r.z.fail(0, "cannot receive %s property on %s: invalid property value", name, to.name)
	}
	return 0
}

// maySet complains where the user may not set a property, which is no failure.
func (r *receiving) maySet(t *tx, d *ds, name string) bool {
	if r.z.permitted(t, d, permOf(name)) {
		return true
	}
	r.z.fail(0, "cannot receive %s property on %s: %s", name, d.name, r.z.denied)
	return false
}

// badProps refuses -o and -x of what is no property that can be received.
func (r *receiving) badProps() int {
	for _, name := range withoutOrigin(append(sortedKeys(r.set), sortedKeys(r.omit)...)) {
		p := native(name)
		switch {
		case p != nil && slices.Contains(cryptProps(), p.name):
		case p == nil && !isUser(name), p != nil && (p.readonly || p.once || p.name == "version" || p.name == "volsize"):
			return r.z.fail(1, "%s: invalid property '%s'", r.z.trait().badProp, name)
		}
	}
	return 0
}

// fitsType says no to -o, and only warns of -x, where a property is not one of
// the stream's type.
func (r *receiving) fitsType(b *beginRecord, to *recvTarget) int {
	takes := takeFS
	if b.kind == typeZVOL {
		takes = takeVolume
	}
	for _, name := range withoutOrigin(sortedKeys(r.set)) {
		if p := native(name); p != nil && p.takes&takes == 0 && to.sub {
			continue
		}
		if p := native(name); p != nil && p.takes&takes == 0 {
			return -r.z.fail(1, "cannot %s: property '%s' does not apply to datasets of this type", r.verb, name)
		}
		if _, why := r.z.checkSetting(name, r.set[name], takes, "receive"); why != "" {
			return -r.z.fail(1, "cannot %s: %s\ncannot %s: invalid property value", r.verb, why, r.verb)
		}
	}
	for _, name := range sortedKeys(r.omit) {
		if p := native(name); p != nil && p.takes&takes == 0 {
			r.z.fail(1, "Warning: %s: property '%s' does not apply to datasets of this type", to.name, name)
		}
	}
	return r.fitsCrypt(b, to)
}

// fitsCrypt looks at the encryption that -o and -x ask for.
func (r *receiving) fitsCrypt(b *beginRecord, to *recvTarget) int {
	raw, fresh := b.features&featureRaw != 0, b.wantsNew(r.set)
	asked := false
	for _, name := range cryptProps() {
		_, set := r.set[name]
		asked = asked || set
		switch {
		case name == "keylocation": // may be set wherever there is a key
		case raw && (set || r.omit[name]):
			return -r.z.fail(1, "cannot %s: encryption property '%s' cannot be set or excluded for raw streams.", r.verb, name)
		case set && !fresh && !to.sub:
			return -r.z.fail(1, "cannot %s: encryption property '%s' cannot be set for incremental streams.", r.verb, name)
		}
	}
	switch {
	case !asked || !fresh || !to.top || raw:
		return 0
	case r.set["keylocation"] == "prompt" || r.set["keyformat"] != "" && r.set["keylocation"] == "":
		return -r.z.fail(1, "cannot %s: Cannot use 'prompt' keylocation because stdin is in use.", r.verb)
	}
	if _, _, why := r.z.cryptFor(to.parent, r.set); why != "" {
		return -r.z.fail(1, "cannot %s: %s", r.verb, why)
	}
	return 0
}

// plainly reports whether a stream is to be kept as plain text whatever the
// parent is: one that brings properties, which encrypted ones do only raw.
func (r *receiving) plainly(to *recvTarget) bool {
	_, set := r.set["encryption"]
	return to.sent != nil && to.sent.HasProps && !set && !r.omit["encryption"]
}

// settle gives the dataset what the stream says of it.
func (r *receiving) settle(t *tx, d *ds, to *recvTarget, p *partial, h *head, fresh bool) int {
	if p.Features&featureRaw != 0 {
		t.rawKey(d, p, h)
	}
	r.props(t, d, to.sent, fresh, !to.sub || to.top)
	if h.Volume {
		d.Volume = true
		d.Props["volsize"] = volSize(h)
		if fresh && h.VolBlock != "" {
			d.Props["volblocksize"] = h.VolBlock
		}
	}
	if p.Features&featureLarge != 0 {
		d.Large = true
	}
	switch {
	case p.Features&featureRaw != 0:
		delete(d.Props, "keylocation")
	case fresh && d.Origin != "":
		if od, _ := t.lookup(d.Origin); od != nil {
			d.Crypt, d.KeyGUID = od.Crypt, od.KeyGUID
		}
	case fresh && d.Crypt == "":
		if r.plainly(to) {
			d.Props["encryption"] = "off"
		}
		return r.z.encrypt(t, d)
	}
	return 0
}
