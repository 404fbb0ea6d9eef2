package zfssim

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// roots checks the names given to list and returns those that are there.
func (z *cmd) roots(t *tx, names []string, w *listing) ([]string, int) {
	var found []string
	code := 0
	for _, name := range names {
		if _, ok := z.openObject(t, name, w.opens()); !ok {
			code = 1
			continue
		}
		found = append(found, name)
	}
	return found, code
}

// objects is zfs_for_each: what the arguments and flags of list and get mean.
func (z *cmd) objects(t *tx, names []string, w listing) ([]object, int) {
	var out []object
	if len(names) == 0 {
		for _, p := range t.poolNames() {
			out = t.expand(out, object{d: t.get(p)}, w.takes, -1)
		}
		return out, 0
	}
	code := 0
	seen := map[string]bool{}
	for _, name := range names {
		o, ok := z.openObject(t, name, w.opens())
		if !ok {
			code = 1
			continue
		}
		depth := w.depth
		if w.own() {
			depth = 1
		}
		filter := w.takes
		if !w.typed && o.v != nil {
			filter = all4
		}
		for _, x := range t.expand(nil, o, filter, depth) {
			if !seen[x.name()] {
				seen[x.name()] = true
				out = append(out, x)
			}
		}
	}
	return out, code
}

// expand appends o and what is below it, as deep as depth says.
func (t *tx) expand(out []object, o object, takes, depth int) []object {
	if o.d == nil {
		return out
	}
	if o.take()&takes != 0 {
		out = append(out, o)
	}
	if o.v != nil || depth == 0 {
		return out
	}
	if takes&(takeSnapshot|takeBookmark) != 0 {
		for _, v := range t.versions(o.d) {
			if x := (object{o.d, v}); x.take()&takes != 0 {
				out = append(out, x)
			}
		}
	}
	for _, kid := range t.children(o.d.name) {
		out = t.expand(out, object{d: t.get(kid)}, takes, depth-1)
	}
	return out
}

// sortObjects orders by the keys, then as zfs_compare does: by name, and the
// snapshots of one dataset by createtxg.
func sortObjects(t *tx, objects []object, keys []sortKey) {
	slices.SortStableFunc(objects, func(a, b object) int {
		for _, k := range keys {
			if c := compareBy(t, a, b, k); c != 0 {
				return c
			}
		}
		return compareNames(a, b)
	})
}

func compareNames(a, b object) int {
	an, ak, _ := strings.Cut(a.name(), "@")
	bn, bk, _ := strings.Cut(b.name(), "@")
	if c := strings.Compare(an, bn); c != 0 {
		return c
	}
	switch {
	case ak == "" && bk == "":
		return 0
	case ak == "":
		return -1
	case bk == "":
		return 1
	}
	return cmp.Or(cmp.Compare(a.v.txg, b.v.txg), strings.Compare(ak, bk))
}

func compareBy(t *tx, a, b object, k sortKey) int {
	if k.name == "name" {
		c := strings.Compare(a.name(), b.name())
		if k.desc {
			c = -c
		}
		return c
	}
	x, okX := t.prop(a, k.name, true)
	y, okY := t.prop(b, k.name, true)
	c := 0
	switch {
	case okX && !okY:
		return -1
	case okY && !okX:
		return 1
	default:
		n, errN := strconv.ParseUint(x.text, 10, 64)
		m, errM := strconv.ParseUint(y.text, 10, 64)
		if errN == nil && errM == nil {
			c = cmp.Compare(n, m)
		} else {
			c = strings.Compare(x.text, y.text)
		}
	}
	if k.desc {
		c = -c
	}
	return c
}

// own says whether the snapshots or the bookmarks of the named datasets are
// meant: list -t snapshot DATASET without -r.
func (w *listing) own() bool {
	return !w.recursive && w.typed && !w.props && (w.takes == takeSnapshot || w.takes == takeBookmark)
}

// opens says what kinds of name the arguments may be.
func (w *listing) opens() int {
	takes := w.takes
	if !w.typed {
		takes |= takeSnapshot
	}
	if w.props && !w.typed {
		takes = all4
	}
	if w.props && w.typed {
		takes |= takeSet
	}
	if w.recursive || w.own() {
		takes |= takeFS
		if takes&(takeSnapshot|takeBookmark) != 0 {
			takes |= takeVolume
		}
	}
	return takes
}
