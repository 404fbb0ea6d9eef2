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
		b = strconv.AppendInt(b, v.creation, 10)
		b = append(b, '\t')
		if extra, err := json.Marshal(v.versionExtra); err == nil && len(extra) > 2 {
			b = append(b, extra...)
		}
		b = append(b, '\n')
	}
	return string(b)
}

func parseVersions(data []byte) []*version {
	vs := make([]*version, 0, bytes.Count(data, []byte{'\n'}))
	for len(data) > 0 {
		var line []byte
		line, data, _ = bytes.Cut(data, []byte{'\n'})
		f := bytes.SplitN(line, []byte{'\t'}, 5)
		if len(f) != 5 || len(f[0]) < 2 {
			continue
		}
		v := &version{kind: f[0][0], name: string(f[0][1:])}
		v.guid, _ = strconv.ParseUint(string(f[1]), 10, 64)
		v.txg, _ = strconv.ParseUint(string(f[2]), 10, 64)
		v.creation, _ = strconv.ParseInt(string(f[3]), 10, 64)
		if len(f[4]) > 0 {
			json.Unmarshal(f[4], &v.versionExtra)
		}
		vs = append(vs, v)
	}
	return vs
}

// versions reads a dataset's snapshots and bookmarks.
func (t *tx) versions(d *ds) []*version {
	if !d.known {
		data, _ := os.ReadFile(t.dir(d.name, "@snaps"))
		d.vers, d.known = parseVersions(data), true
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

func (t *tx) addVersion(d *ds, v *version) {
	t.versions(d)
	d.vers = append(d.vers, v)
	slices.SortStableFunc(d.vers, func(a, b *version) int { return cmp.Compare(a.txg, b.txg) })
	d.moved = true
}

func (t *tx) dropVersion(d *ds, v *version) {
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
