package zfssim

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
			if r.maySet(t, d, name) {
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
	r.z.fail(0, "cannot receive %s property on %s: permission denied", name, d.name)
	return false
}

// badProps refuses -o and -x of what is no property that can be received.
func (r *receiving) badProps() int {
	for _, name := range withoutOrigin(append(sortedKeys(r.set), sortedKeys(r.omit)...)) {
		p := native(name)
		switch {
		case p == nil && !isUser(name), p != nil && p.readonly:
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
			return -r.z.fail(1, "cannot %s: %s", r.verb, why)
		}
	}
	for _, name := range sortedKeys(r.omit) {
		if p := native(name); p != nil && p.takes&takes == 0 {
			r.z.fail(1, "Warning: %s: property '%s' does not apply to datasets of this type", to.name, name)
		}
	}
	raw := b.features&featureRaw != 0
	for _, name := range []string{"encryption", "keyformat", "keylocation", "pbkdf2iters"} {
		_, set := r.set[name]
		if raw && (set || r.omit[name]) {
			return -r.z.fail(1, "cannot %s: encryption property '%s' cannot be set or excluded for raw streams.", r.verb, name)
		}
	}
	return 0
}

// settle gives the dataset what the stream says of it.
func (r *receiving) settle(t *tx, d *ds, to *recvTarget, p *partial, h *head, fresh bool) int {
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
	if d.Origin != "" && fresh {
		if d.pool.Clones == nil {
			d.pool.Clones = map[string]string{}
		}
		d.pool.Clones[d.name] = d.Origin
		d.pool.dirty = true
	}
	switch {
	case p.Features&featureRaw != 0:
		t.rawKey(d, p, h)
	case fresh && d.Origin != "":
		if od, _ := t.lookup(d.Origin); od != nil {
			d.Crypt, d.KeyGUID = od.Crypt, od.KeyGUID
		}
	case fresh && d.Crypt == "":
		return r.z.encrypt(t, d)
	}
	return 0
}
