package zfssim

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// A value of a property, as get and list print it.
type value struct {
	text     string
	source   string // local, default, received, -, or "inherited from X"
	received string // or "-"
}

var noValue = value{"-", "-", "-"}

// prop computes a property; exact is -p.
func (t *tx) prop(o object, name string, exact bool) (value, bool) {
	if p := native(name); p != nil {
		if o.take()&p.takes == 0 {
			return noValue, false
		}
		return t.nativeProp(o, p, exact), true
	}
	for _, prefix := range []string{"written@", "written#"} {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			return t.writtenSince(o, prefix[7:]+rest, exact)
		}
	}
	if !strings.Contains(name, ":") {
		return noValue, false
	}
	return t.userProp(o, name)
}

func (t *tx) userProp(o object, name string) (value, bool) {
	if o.v != nil {
		if o.v.kind == '#' {
			return noValue, false
		}
		if text, ok := o.v.Props[name]; ok {
			return value{text, "local", or(o.v.Recvd[name], "-")}, true
		}
		if text, ok := o.v.Recvd[name]; ok {
			return value{text, "received", text}, true
		}
	}
	v, ok := t.inherited(o.d, name, o.v != nil)
	if o.v == nil {
		v.received = or(o.d.Received[name], "-")
	}
	return v, ok
}

// inherited walks up from d; fromBelow says that even d's own setting is an
// inherited one (for its snapshots).
func (t *tx) inherited(d *ds, name string, fromBelow bool) (value, bool) {
	for at := d; at != nil; at = t.get(parentOf(at.name)) {
		source := "inherited from " + at.name
		if text, ok := at.Props[name]; ok {
			if at == d && !fromBelow {
				source = "local"
			}
			return value{text, source, "-"}, true
		}
		if text, ok := at.Received[name]; ok && !at.Hidden[name] {
			if at == d && !fromBelow {
				source = "received"
			}
			return value{text, source, "-"}, true
		}
		if parentOf(at.name) == "" {
			break
		}
	}
	return noValue, false
}

// own returns a setting of d itself.
func (d *ds) own(name string) (value, bool) {
	if text, ok := d.Props[name]; ok {
		return value{text, "local", "-"}, true
	}
	if text, ok := d.Received[name]; ok && !d.Hidden[name] {
		return value{text, "received", text}, true
	}
	return noValue, false
}

func (t *tx) nativeProp(o object, p *propdef, exact bool) value {
	if p.name == "readonly" && o.v == nil && o.d.pool.ReadOnly && o.d.Mounted {
		return value{"on", "temporary", "-"}
	}
	if v, ok := t.computed(o, p.name, exact); ok {
		return v
	}
	if o.v != nil && o.d.Volume && p.takes&(takeFS|takeVolume) == takeFS {
		return noValue
	}
	v, ok := noValue, false
	if p.inherit {
		v, ok = t.inherited(o.d, p.name, o.v != nil)
	} else {
		v, ok = o.d.own(p.name)
	}
	if !ok {
		v = value{p.def, "default", "-"}
		if p.name == "compression" {
			v.text = t.trait.compression
		}
		if p.once || p.def == "" {
			v.source = "-"
		}
		if p.def == "" {
			v.text = "-"
		}
	}
	if p.once {
		v.source = "-"
	}
	if r, ok := o.d.Received[p.name]; ok && o.v == nil {
		v.received = p.show(r, exact)
	}
	v.text = p.show(v.text, exact)
	return v
}

// show formats a stored value.
func (p *propdef) show(text string, exact bool) string {
	switch {
	case p.values == "size" && text == "0" && !exact && p.name != "special_small_blocks":
		return "none"
	case p.values == "size" && !exact:
		if n, err := strconv.ParseUint(text, 10, 64); err == nil {
			return nice(n)
		}
	}
	return text
}

func (t *tx) computed(o object, name string, exact bool) (value, bool) {
	text := ""
	switch name {
	case "name":
		text = o.name()
	case "type":
		text = typeName(o.take())
	case "guid":
		text = strconv.FormatUint(o.guid(), 10)
	case "createtxg":
		text = strconv.FormatUint(o.txg(), 10)
	case "creation":
		text = when(o.creation(), exact)
	case "objsetid":
		text = strconv.FormatUint(o.id(), 10)
	case "mounted":
		text = yesNo(o.d.Mounted)
	case "origin":
		text = or(o.d.Origin, "-")
	case "userrefs":
		text = strconv.Itoa(len(o.v.Holds))
	case "defer_destroy":
		text = onOff(o.v.Defer)
	case "clones":
		text = or(strings.Join(t.clonesOf(o), ","), "-")
	case "mountpoint":
		return t.mountpoint(o.d), true
	case "receive_resume_token":
		text = or(t.resumeToken(o.d), "-")
	case "snapshots_changed":
		if o.d.Changed == 0 {
			return noValue, false
		}
		text = when(o.d.Changed, exact)
	case "used", "available", "referenced", "written", "logicalused", "logicalreferenced", "usedbysnapshots",
		"usedbydataset", "usedbychildren", "usedbyrefreservation", "compressratio":
		text = t.space(o, name, exact)
	case "encryption", "keylocation", "keyformat", "pbkdf2iters", "encryptionroot", "keystatus":
		return t.cryptProp(o, name)
	default:
		return noValue, false
	}
	return value{text, "-", "-"}, true
}

func (o object) guid() uint64 {
	if o.v != nil {
		return o.v.guid
	}
	return o.d.GUID
}

func (o object) txg() uint64 {
	if o.v != nil {
		return o.v.txg
	}
	return o.d.TXG
}

func (o object) creation() int64 {
	if o.v != nil {
		return o.v.creation
	}
	return o.d.Creation
}

func (o object) id() uint64 {
	if o.v != nil {
		return o.v.ID
	}
	return o.d.ID
}

func (t *tx) clonesOf(o object) []string {
	var names []string
	for clone, origin := range o.d.pool.Clones {
		if origin == o.name() {
			names = append(names, clone)
		}
	}
	for _, d := range []*ds{o.d} {
		if d.Partial != nil && d.Partial.From == o.v.guid && !d.New {
			names = append(names, d.name+"/%recv")
		}
	}
	slices.Sort(names)
	return names
}

func typeName(take int) string {
	switch take {
	case takeFS:
		return "filesystem"
	case takeVolume:
		return "volume"
	case takeSnapshot:
		return "snapshot"
	}
	return "bookmark"
}

func when(unix int64, exact bool) string {
	if exact {
		return strconv.FormatUint(uint64(unix), 10) // as ZFS does
	}
	return time.Unix(unix, 0).Format("Mon Jan _2 15:04 2006")
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func onOff(b bool) string {
	if b {
		return "on"
	}
	return "off"
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
