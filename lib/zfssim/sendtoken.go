package zfssim

import (
	"fmt"
	"strings"
)

// sendToken continues a stream that a receiver has in part.
func (z *cmd) sendToken(o *options, text string) int {
	if o.has('R') || o.has('i') || o.has('I') || o.has('p') || o.has('D') || o.has('h') || o.has('b') {
		return z.usage("invalid flags combined with -t")
	}
	k, err := decodeToken(text)
	if err != nil {
		return z.fail(255, "cannot resume send: %v", err)
	}
	if o.has('v') {
		w := z.err
		if o.has('n') {
			w = z.out
		}
		fmt.Fprint(w, k.describe())
	}
	if len(o.args) != 0 {
		return z.usage("too many arguments")
	}
	if !o.has('n') && z.terminal() {
		return z.fail(1, "Error: Stream can not be written to a terminal.\nYou must redirect standard output.")
	}
	var plan *sendPlan
	code := z.look(func(t *tx) int {
		var code int
		plan, code = z.planToken(t, o, k)
		return code
	})
	if code != 0 {
		return code
	}
	for flag, on := range map[byte]bool{'L': k.Large, 'e': k.Embed, 'c': k.Compress, 'w': k.Raw} {
		if on {
			o.flags[flag] = true
		}
	}
	return z.runSend(o, plan)
}

// describe prints the token's nvlist as nvlist_print does.
func (k *token) describe() string {
	var b strings.Builder
	b.WriteString("resume token contents:\nnvlist version: 0\n")
	if k.From != 0 {
		fmt.Fprintf(&b, "\tfromguid = 0x%x\n", k.From)
	}
	fmt.Fprintf(&b, "\tobject = 0x%x\n\toffset = 0x%x\n\tbytes = 0x%x\n\ttoguid = 0x%x\n\ttoname = %s\n", k.Object, k.Offset, k.Bytes, k.To, k.ToName)
	for _, f := range []struct {
		on   bool
		name string
	}{{k.Large, "largeblockok"}, {k.Embed, "embedok"}, {k.Compress, "compressok"}, {k.Raw, "rawok"}} {
		if f.on {
			fmt.Fprintf(&b, "\t%s = 1\n", f.name)
		}
	}
	return b.String()
}

func (z *cmd) planToken(t *tx, o *options, k *token) (*sendPlan, int) {
	d, to := t.resolveGUID(k.ToName, k.To)
	if to == nil {
		if t.pool(poolOf(k.ToName)) == nil {
			return nil, z.fail(255, "cannot resume send: '%s' is no longer the same snapshot used in the initial send", k.ToName)
		}
		return nil, z.fail(255, "cannot resume send: '%s' used in the initial send no longer exists", k.ToName)
	}
	var base object
	from := ""
	if k.From != 0 {
		bd, v := t.baseGUID(d, k.From)
		if v == nil {
			return nil, z.fail(255, "cannot resume send: incremental source 0x%x no longer exists", k.From)
		}
		base = object{bd, v}
		from = v.full(bd)
	}
	if d.Crypt != "" && !k.Raw && !o.has('w') && t.keyMissing(d) {
		return nil, z.fail(255, "cannot resume send: dataset key must be loaded")
	}
	s := t.newSource(d, to, base, from)
	s.object, s.offset, s.bytes, s.resume = k.Object, k.Offset, k.Bytes, true
	s.origin = base.v != nil && base.d != d
	return &sendPlan{target: to.full(d), sources: []*source{s}}, 0
}

// resolveGUID is guid_to_name: the name first, then anywhere in its pool.
func (t *tx) resolveGUID(name string, guid uint64) (*ds, *version) {
	if d, v := t.lookup(name); v != nil && v.guid == guid {
		return d, v
	}
	for _, d := range t.tree(poolOf(name), -1) {
		if v := t.byGUID(d, guid); v != nil {
			return d, v
		}
	}
	return nil, nil
}

// baseGUID looks in the dataset first, at snapshots before bookmarks.
func (t *tx) baseGUID(d *ds, guid uint64) (*ds, *version) {
	for at := d; at != nil; {
		if v := t.byGUID(at, guid); v != nil {
			return at, v
		}
		for _, v := range t.versions(at) {
			if v.guid == guid {
				return at, v
			}
		}
		if at.Origin == "" {
			return nil, nil
		}
		at, _ = t.lookup(at.Origin)
	}
	return nil, nil
}
