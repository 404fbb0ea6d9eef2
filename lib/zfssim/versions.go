package zfssim

import (
	"bytes"
	"cmp"
	"encoding/json"
	"os"
	"slices"
	"strconv"
	"strings"
)

// @snaps holds one version a line, oldest first: kind and name, guid,
// createtxg, creation, and what else there is as JSON; tabs between.

func formatVersions(vs []*version) string {
	var b []byte
	for _, v := range vs {
		b = append(b, v.kind)
		b = append(b, v.name...)
		b = append(b, '\t')
		b = strconv.AppendUint(b, v.guid, 10)
		b = append(b, '\t')
		b = strconv.AppendUint(b, v.txg, 10)
		b = append(b, '\t')
		b = strconv.AppendUint(b, uint64(v.creation), 10)
		b = append(b, '\t')
		b = v.appendExtra(b)
		b = append(b, '\n')
	}
	return string(b)
}

// appendExtra writes what most versions have, and nothing else, by hand: the
// two numbers behind a + sign. The rest is JSON.
func (v *version) appendExtra(b []byte) []byte {
	x := &v.versionExtra
	if len(x.Props)+len(x.Recvd)+len(x.Holds) == 0 && !x.Defer && !x.Large && !x.Crypt {
		b = append(b, '+')
		b = strconv.AppendUint(b, x.Ref, 10)
		b = append(b, ' ')
		return strconv.AppendUint(b, x.ID, 10)
	}
	extra, err := json.Marshal(x)
	if err != nil {
		return b
	}
	return append(b, extra...)
}

func (v *version) parseExtra(p []byte) {
	if len(p) > 0 && p[0] == '+' {
		ref, id, _ := strings.Cut(string(p[1:]), " ")
		v.Ref, _ = strconv.ParseUint(ref, 10, 64)
		v.ID, _ = strconv.ParseUint(id, 10, 64)
		return
	}
	json.Unmarshal(p, &v.versionExtra)
}

func parseVersions(data []byte) []*version {
	n := bytes.Count(data, []byte{'\n'})
	vs := make([]*version, 0, n)
	pool := make([]version, n)
	for len(vs) < n {
		var line []byte
		line, data, _ = bytes.Cut(data, []byte{'\n'})
		v := &pool[len(vs)]
		var field [4]string
		for i := range field {
			var part []byte
			part, line, _ = bytes.Cut(line, []byte{'\t'})
			field[i] = string(part)
		}
		if len(field[0]) < 2 {
			n--
			continue
		}
		v.kind, v.name = field[0][0], field[0][1:]
		v.guid, _ = strconv.ParseUint(field[1], 10, 64)
		v.txg, _ = strconv.ParseUint(field[2], 10, 64)
		creation, _ := strconv.ParseUint(field[3], 10, 64)
		v.creation = int64(creation)
		v.parseExtra(line)
		vs = append(vs, v)
	}
	return vs
}

// versions reads a dataset's snapshots and bookmarks.
func (t *tx) versions(d *ds) []*version {
	if !d.known {
		data, _ := os.ReadFile(t.dir(d.name, "@snaps"))
		d.vers, d.known, d.size = parseVersions(data), true, len(data)
	}
	return d.vers
}

func (t *tx) snapshots(d *ds) []*version {
	var out []*version
	for _, v := range t.versions(d) {
		if v.kind == '@' {
			out = append(out, v)
		}
	}
	return out
}

// find looks a version up by what stands behind the dataset's name ("@x").
func (t *tx) find(d *ds, kindName string) *version {
	for _, v := range t.versions(d) {
		if v.kind == kindName[0] && v.name == kindName[1:] {
			return v
		}
	}
	return nil
}

// lookup finds a snapshot or a bookmark by its whole name.
func (t *tx) lookup(full string) (*ds, *version) {
	i := strings.IndexAny(full, "@#")
	if i < 0 {
		return nil, nil
	}
	d := t.get(full[:i])
	if d == nil {
		return nil, nil
	}
	return d, t.find(d, full[i:])
}

func (t *tx) byGUID(d *ds, guid uint64) *version {
	for _, v := range t.versions(d) {
		if v.kind == '@' && v.guid == guid {
			return v
		}
	}
	return nil
}

func (t *tx) newest(d *ds) *version {
	snaps := t.snapshots(d)
	if len(snaps) == 0 {
		return nil
	}
	return snaps[len(snaps)-1]
}

// changed notes that d's snapshots are others now, unless v is a bookmark.
func (t *tx) changed(d *ds, v *version) {
	if v.kind == '@' && t.trait.snapsChanged {
		d.Changed, d.dirty = t.clock, true
	}
}

func (t *tx) addVersion(d *ds, v *version) {
	t.changed(d, v)
	t.versions(d)
	if n := len(d.vers); n == 0 || d.vers[n-1].txg <= v.txg {
		d.vers = append(d.vers, v)
		d.grown = append(d.grown, v)
		return
	}
	d.vers = append(d.vers, v)
	slices.SortStableFunc(d.vers, func(a, b *version) int { return cmp.Compare(a.txg, b.txg) })
	d.moved = true
}

func (t *tx) dropVersion(d *ds, v *version) {
	t.changed(d, v)
	t.versions(d)
	d.vers = slices.DeleteFunc(slices.Clone(d.vers), func(x *version) bool { return x == v })
	d.moved = true
}

// treeOf is where a version's contents lie.
func treeOf(v *version) string {
	if v.kind == '#' {
		return "@marks/" + v.name
	}
	return "@zfs/snapshot/" + v.name
}
