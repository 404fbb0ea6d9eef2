package zfssim

import (
	"fmt"
	"slices"
	"strings"
)

func (z *cmd) planSend(t *tx, o *options, full string) (*sendPlan, int) {
	name, short, ok := strings.Cut(full, "@")
	if !ok {
		return z.planHead(t, o, full)
	}
	if why := badName(full, takeSnapshot, false); why != "" {
		return nil, z.fail(1, "cannot open '%s': %s", full, why)
	}
	d := t.get(name)
	if d == nil {
		return nil, z.fail(1, "cannot open '%s': dataset does not exist", full)
	}
	to := t.find(d, "@"+short)
	from, _ := o.val('i')
	if v, ok := o.val('I'); ok {
		from = v
	}
	all := o.has('I')
	plan := &sendPlan{target: full}
	if to == nil {
		return nil, z.fail(1, "cannot open '%s': dataset does not exist", full)
	}
	var base object
	var code int
	if o.has('i') || o.has('I') {
		if base, code = z.sendBase(t, o, d, to, from); code != 0 {
			return nil, code
		}
	}
	if code := z.mayRead(t, o, d, full); code != 0 {
		return nil, code
	}
	if !all && !o.has('R') && !o.has('p') && !o.has('h') && !o.has('b') {
		shown := ""
		if base.v != nil {
			shown = base.name()
		}
		plan.sources = []*source{t.newSource(d, to, base, shown)}
		plan.sources[0].origin = base.v != nil && base.d != d
		return plan, 0
	}
	return z.planCompound(t, o, plan, d, to, base)
}

// planHead sends the present contents of a filesystem that does not change.
func (z *cmd) planHead(t *tx, o *options, name string) (*sendPlan, int) {
	if o.has('R') || o.has('I') || o.has('p') {
		return nil, z.fail(1, "Error: Unsupported flag with filesystem or bookmark.")
	}
	target, ok := z.openObject(t, name, takeSet|takeSnapshot)
	if !ok {
		return nil, 1
	}
	if target.d.Mounted {
		return nil, z.fail(1, "cannot send '%s': target is busy; if a filesystem, it must not be mounted", name)
	}
	return nil, z.fail(1, "cannot send '%s': sending the head of a filesystem is not simulated", name)
}

func shownFrom(base object, d *ds, given string) string {
	switch {
	case base.v == nil:
		return ""
	case base.d != d:
		return base.name()
	case base.v.kind == '#':
		return given
	}
	return "@" + base.v.name
}

// sendBase finds the incremental source.
func (z *cmd) sendBase(t *tx, o *options, d *ds, to *version, from string) (object, int) {
	full := from
	if strings.HasPrefix(from, "@") || strings.HasPrefix(from, "#") {
		full = d.name + from
	} else if !strings.ContainsAny(from, "@#") {
		fmt.Fprintln(z.err, "Warning: incremental source didn't specify type, assuming snapshot. Use '@' or '#' prefix to avoid ambiguity.")
		full = d.name + "@" + from
	}
	target := to.full(d)
	bd, v := t.lookup(full)
	switch {
	case v == nil && strings.Contains(full, "@"):
		return object{}, z.fail(1, "cannot open '%s': dataset does not exist", full)
	case v == nil:
		return object{}, z.fail(1, "warning: cannot send '%s': incremental source (%s) does not exist", target, full)
	case v.kind == '#' && (o.has('I') || o.has('R')):
		return object{}, z.fail(1, "Error: multiple snapshots cannot be sent from a bookmark.")
	case bd == d && v.txg >= to.txg && (o.has('I') || o.has('R') || o.has('p')):
		return object{}, z.fail(1, "WARNING: could not send %s:\nincremental source (%s) does not exist", target, full)
	case bd == d && v.txg >= to.txg, bd != d && !t.isAncestor(bd, v, d):
		return object{}, z.fail(1, "warning: cannot send '%s': not an earlier snapshot from the same fs", target)
	}
	return object{bd, v}, 0
}

// isAncestor reports whether v is d's origin or an earlier one.
func (t *tx) isAncestor(bd *ds, v *version, d *ds) bool {
	for d != nil && d.Origin != "" {
		od, ov := t.lookup(d.Origin)
		if ov == nil {
			return false
		}
		if od == bd {
			return v.txg <= ov.txg
		}
		d = od
	}
	return false
}

// mayRead refuses to send what is encrypted as plain text without its key.
func (z *cmd) mayRead(t *tx, o *options, d *ds, full string) int {
	if !z.permitted(t, d, "send") {
		return z.fail(1, "warning: cannot send '%s': %s", full, z.denied)
	}
	if d.Crypt == "" || o.has('w') {
		return 0
	}
	if t.keyMissing(d) || t.unreadable(d) {
		return z.fail(1, "warning: cannot send '%s': dataset key must be loaded", full)
	}
	if o.has('p') || o.has('R') {
		return z.fail(1, "cannot send %s: encrypted dataset %s may not be sent with properties without the raw flag\nwarning: cannot send '%s': backup failed", full, d.name, full)
	}
	return 0
}

func (z *cmd) planCompound(t *tx, o *options, plan *sendPlan, d *ds, to *version, base object) (*sendPlan, int) {
	c := &compound{Top: d.name, To: to.name, Replicate: o.has('R'), Props: o.has('p') || o.has('R'), Raw: o.has('w')}
	if base.v != nil {
		c.From = base.v.name
	}
	sets := []*ds{d}
	if o.has('R') {
		sets = t.tree(d.name, -1)
	}
	plan.compound = c
	for _, s := range sets {
		c.Sets = append(c.Sets, t.describe(s, o, c.From, to.name))
		if code := z.mayRead(t, o, s, s.name+"@"+to.name); code != 0 {
			return nil, code
		}
		last := t.find(s, "@"+to.name)
		if last == nil {
			if code := z.missingSnap(o, s, to.name, d); code != 0 {
				return nil, code
			}
			continue
		}
		plan.sources = append(plan.sources, z.chain(t, o, s, last, base, d)...)
	}
	// A clone comes after its origin.
	slices.SortStableFunc(plan.sources, func(a, b *source) int { return originDepth(t, a.d) - originDepth(t, b.d) })
	return plan, 0
}

func originDepth(t *tx, d *ds) int {
	n := 0
	for d != nil && d.Origin != "" {
		d, _ = t.lookup(d.Origin)
		n++
	}
	return n
}

func (z *cmd) missingSnap(o *options, s *ds, to string, top *ds) int {
	if o.has('s') {
		return 0
	}
	fmt.Fprintf(z.err, "WARNING: could not send %s@%s: does not exist\n", s.name, to)
	return 0
}

// chain lists the streams that bring one dataset to last: all snapshots from
// the base for -R and -I, the one step otherwise.
func (z *cmd) chain(t *tx, o *options, s *ds, last *version, base object, top *ds) []*source {
	var prev object
	from := ""
	if base.v != nil {
		switch {
		case s != top:
			if v := t.find(s, "@"+base.v.name); v != nil {
				prev = object{s, v}
			}
		default:
			prev = base
		}
		from = shownFrom(prev, s, "#"+base.v.name)
	}
	if prev.v == nil && s.Origin != "" && o.has('R') {
		if od, ov := t.lookup(s.Origin); ov != nil {
			prev, from = object{od, ov}, s.Origin
		}
	}
	if !o.has('I') && !(o.has('R') && !o.has('i')) {
		x := t.newSource(s, last, prev, from)
		return []*source{x}
	}
	var out []*source
	for _, v := range t.snapshots(s) {
		if v.txg > last.txg || prev.v != nil && prev.d == s && v.txg <= prev.v.txg {
			continue
		}
		x := t.newSource(s, v, prev, from)
		x.origin = prev.v != nil && prev.d != s
		out = append(out, x)
		prev, from = object{s, v}, "@"+v.name
	}
	return out
}

// describe is what a package says of one dataset.
func (t *tx) describe(d *ds, o *options, from, to string) sentDS {
	s := sentDS{Name: d.name, GUID: d.GUID, Props: map[string]string{}, EncRoot: d.Key != nil}
	if p := t.get(parentOf(d.name)); p != nil && o.has('R') {
		for _, name := range []string{from, to} {
			if v := t.find(p, "@"+name); v != nil && s.ParentFrom == 0 {
				s.ParentFrom = v.guid
			}
		}
	}
	if _, v := t.lookup(d.Origin); v != nil {
		s.Origin = v.guid
	}
	if o.has('p') || o.has('R') {
		s.HasProps = true
		for name, text := range d.Received {
			if !d.Hidden[name] && sendable(name) {
				s.Props[name] = text
			}
		}
		for name, text := range d.Props {
			if sendable(name) {
				s.Props[name] = text
			}
		}
		if d.Key != nil {
			s.Props["keylocation"] = d.Key.Location
		}
	}
	for _, v := range t.snapshots(d) {
		x := sentSnap{Name: v.name, GUID: v.guid, Props: v.Props}
		if o.has('h') {
			x.Holds = sortedKeys(v.Holds)
		}
		s.Snaps = append(s.Snaps, x)
	}
	return s
}

func sendable(name string) bool {
	p := native(name)
	return p == nil || !p.readonly && (!p.once || name == "volblocksize" || name == "casesensitivity")
}
