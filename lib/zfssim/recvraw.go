package zfssim

import "bytes"

// What raw streams bring with them: the key as the sender has wrapped it, and
// the guids by which OpenZFS knows that key and each snapshot's IVs
// (dsl_crypto_recv_raw in dsl_crypt.c).

// ivset is the guid of a version's IVs.
func (v *version) ivset() uint64 {
	if v.IVSet != 0 {
		return v.IVSet
	}
	return v.guid
}

// rawKeydata writes crypt_keydata of a DRR_BEGIN's payload. The wrapped key
// itself stands in the first OBJECT.
func rawKeydata(b *bytes.Buffer, s *source) {
	nvPair(b, "crypt_keydata", nvNvlist, make([]byte, 24)) // what is in it follows
	nvPair(b, "DSL_CRYPTO_GUID", nvUint64, le64(s.d.KeyGUID))
	nvPair(b, "to_ivset_guid", nvUint64, le64(s.to.ivset()))
	if s.base != nil {
		nvPair(b, "from_ivset_guid", nvUint64, le64(s.base.ivset()))
	}
	nvEnd(b)
}

// readRaw takes from a raw stream's payload what is to be checked.
func (p *partial) readRaw(payload []byte) bool {
	l, err := unpackNvlist(payload)
	keydata := l.sub("crypt_keydata")
	if err != nil || keydata == nil {
		return false
	}
	p.KeyGUID, _ = keydata.number("DSL_CRYPTO_GUID")
	p.IVSet, _ = keydata.number("to_ivset_guid")
	return true
}

// refuseRaw says why a raw increment does not fit what is there.
func (d *ds) refuseRaw(payload []byte, base *version) string {
	l, _ := unpackNvlist(payload)
	keydata := l.sub("crypt_keydata")
	from, _ := keydata.number("from_ivset_guid")
	key, _ := keydata.number("DSL_CRYPTO_GUID")
	switch {
	case keydata == nil:
		return "invalid backup stream"
	case from != base.ivset():
		return "IV set guid mismatch. See the 'zfs receive' man page section\n discussing the limitations of raw encrypted send streams."
	case key != d.KeyGUID:
		return "encryption key does not match existing key"
	}
	return ""
}

// rawKey gives a dataset the wrapped key of a raw stream. A new one becomes an
// encryption root. Of one that is there the wrapping changes, and what it
// inherits does not.
func (t *tx) rawKey(d *ds, p *partial, h *head) {
	fresh := d.Crypt == ""
	d.Crypt, d.KeyGUID = h.Crypt, p.KeyGUID
	switch {
	case h.Key == nil:
	case fresh:
		k := *h.Key
		k.Location = "prompt"
		d.Key = &k
	case d.Key != nil:
		d.Key.Format, d.Key.Hash, d.Key.Iters, d.Key.Salt = h.Key.Format, h.Key.Hash, h.Key.Iters, h.Key.Salt
	default:
		d.Wrap = h.Key.Hash
		if !t.unreadable(d) {
			d.Wrap = ""
		}
	}
}

// fixRoots makes the encryption roots of a received tree those of the sent one
// (recv_fix_encryption_hierarchy).
func (r *receiving) fixRoots(p *packaged) int {
	return r.z.change(func(t *tx) int {
		depth := 0
		if p.sent.Replicate {
			depth = -1
		}
		for _, d := range t.tree(r.top, depth) {
			if ref := t.sentAs(p, d); d.Crypt != "" && ref != nil {
				t.fixRoot(d, ref, d.name == r.top)
			}
		}
		return 0
	})
}

func (t *tx) sentAs(p *packaged, d *ds) *sentDS {
	for _, v := range t.snapshots(d) {
		if ref := p.find(v.guid); ref.set != nil {
			return ref.set
		}
	}
	return nil
}

func (t *tx) fixRoot(d *ds, ref *sentDS, top bool) {
	switch {
	case ref.EncRoot && d.Key == nil && d.Origin == "":
		k := *t.cryptRoot(d).Key
		k.Hash, k.Loaded = t.wrapKey(d), false
		d.Key, d.Wrap, d.dirty = &k, "", true
		fallthrough
	case ref.EncRoot && d.Key != nil:
		for _, p := range ref.Received {
			if p.name == "keylocation" {
				d.Key.Location, d.dirty = p.text, true
			}
		}
	case !ref.EncRoot && d.Key != nil && !top:
		wrap := d.Key.Hash
		d.Key, d.dirty = nil, true
		if root := t.cryptRoot(d); root != nil && root.Key.Hash != wrap {
			d.Wrap = wrap
		}
	}
}
