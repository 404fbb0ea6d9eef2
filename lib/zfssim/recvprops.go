package zfssim

import "maps"

// props merges what the stream, -o and -x say of the dataset to be received.
func (r *receiving) props(d *ds, sent *sentDS, fresh, top bool) {
	if sent != nil {
		d.Received = map[string]string{}
		for name, text := range sent.Props {
			p := native(name)
			if p == nil || p.takes&(object{d: d}).take() != 0 {
				d.Received[name] = text
			}
		}
		d.Hidden = nil
	}
	if d.Props == nil {
		d.Props = map[string]string{}
	}
	if top {
		maps.Copy(d.Props, r.set)
	}
	for name := range r.omit {
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

// badProps refuses -o and -x of what is no property that can be received.
func (r *receiving) badProps() int {
	for _, name := range append(sortedKeys(r.set), sortedKeys(r.omit)...) {
		p := native(name)
		switch {
		case p == nil && !isUser(name), p != nil && p.readonly:
			return r.z.fail(1, "cannot receive: cannot receive: invalid property '%s'", name)
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
	for _, name := range sortedKeys(r.set) {
		if p := native(name); p != nil && p.takes&takes == 0 {
			return -r.z.fail(1, "cannot %s: property '%s' does not apply to datasets of this type", r.verb, name)
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
