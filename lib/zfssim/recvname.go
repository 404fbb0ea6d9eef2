package zfssim

import (
	"slices"
	"strings"
)

// destination says which snapshot the stream's snapshot becomes: what was
// asked for, and behind it what is left of the stream's name when the name of
// what was sent is cut off. libzfs cuts by length and looks at nothing else;
// where the stream's name is the shorter one, what stands behind its NUL
// counts.
func (r *receiving) destination(b *beginRecord, fs string, recursive bool) (full, why string) {
	at := 0
	switch {
	case r.o.has('e'):
		if strings.Contains(r.target, "@") {
			return "", "invalid argument - snapshot not allowed with -e"
		}
		if at = strings.LastIndexByte(fs, '/'); at < 0 {
			return r.target + "/" + b.toname, ""
		}
	case r.o.has('d'):
		if strings.Contains(r.target, "@") {
			return "", "invalid argument - snapshot not allowed with -d"
		}
		if at = strings.IndexByte(b.toname, '/'); at < 0 {
			at = strings.IndexByte(b.toname, '@')
		}
	case !strings.Contains(r.target, "@"):
		at = len(fs)
	case recursive:
		return "", "cannot specify snapshot name for multi-snapshot stream"
	default:
		return r.target, ""
	}
	return r.target + b.nameFrom(at), ""
}

// byGUIDNear is guid_to_name: it looks for a dataset or a snapshot with a
// guid in ever larger parts of the pool around a name.
func (t *tx) byGUIDNear(near string, guid uint64) (object, bool) {
	name, _, _ := strings.Cut(near, "@")
	skip := ""
	for name != "" {
		if t.get(name) != nil {
			if o, ok := t.byGUIDBelow(name, guid, skip); ok {
				return o, true
			}
			skip = name[strings.LastIndexByte(name, '/')+1:]
		}
		name = parentOf(name)
	}
	return object{}, false
}

func (t *tx) byGUIDBelow(name string, guid uint64, skip string) (object, bool) {
	d := t.get(name)
	if skip != "" && name[strings.LastIndexByte(name, '/')+1:] == skip {
		return object{}, false
	}
	if d.GUID == guid {
		return object{d: d}, true
	}
	for _, kid := range t.children(name) {
		if o, ok := t.byGUIDBelow(kid, guid, skip); ok {
			return o, true
		}
	}
	if v := t.byGUID(d, guid); v != nil {
		return object{d, v}, true
	}
	return object{}, false
}

// elsewhere looks, where the destination is not there, for what has been
// renamed since: the parent of a new filesystem by the guid of its snapshot,
// the filesystem of an increment by its base's.
func (r *receiving) elsewhere(t *tx, b *beginRecord, p *packaged, full string) string {
	at := strings.LastIndexByte(full, '/')
	if b.wantsNew(r.set) {
		if at < 0 || t.get(full[:at]) != nil || strings.Contains(full[:at], "@") {
			return full
		}
		ref := p.find(b.toguid)
		if ref.set == nil {
			return full
		}
		if o, ok := t.byGUIDNear(full[:at], ref.set.ParentFrom); ok && ref.set.ParentFrom != 0 {
			return o.d.name + full[at:]
		}
		return full
	}
	name, snap, _ := strings.Cut(full, "@")
	rest := ""
	if p != nil {
		rest = b.nameFrom(len(p.fs))
	}
	if !r.o.has('d') && !r.o.has('e') && (rest == "" || rest[0] == '@') || t.get(name) != nil {
		return full
	}
	if o, ok := t.byGUIDNear(name, b.fromguid); ok {
		return o.d.name + "@" + snap
	}
	return full
}

// wantsNew reports whether the stream makes a filesystem: a full one, or a
// clone.
func (b *beginRecord) wantsNew(set map[string]string) bool {
	return b.makesNew(set) && b.features&featureResuming == 0
}

func (b *beginRecord) makesNew(set map[string]string) bool {
	_, clone := set["origin"]
	return b.fromguid == 0 || b.flags&flagClone != 0 || clone
}

// originOf finds the snapshot that a clone is to be made of.
func (r *receiving) originOf(t *tx, b *beginRecord, full string) (object, string) {
	if name, ok := r.set["origin"]; ok {
		o, _ := t.object(name)
		return o, ""
	}
	if b.flags&flagClone == 0 {
		return object{}, ""
	}
	o, ok := t.byGUIDNear(full, b.fromguid)
	if !ok {
		return o, "local origin for clone " + full + " does not exist"
	}
	return o, ""
}

// withoutOrigin leaves out the one -o that is no property of what is received.
func withoutOrigin(names []string) []string {
	return slices.DeleteFunc(names, func(n string) bool { return n == "origin" })
}
