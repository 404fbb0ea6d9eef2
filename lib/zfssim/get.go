package zfssim

import (
	"bufio"
	"fmt"
	"slices"
	"strings"
)

func (z *cmd) get(args []string) int {
	o, err := getopt(args, "d:Hjo:prs:t:", nil)
	if err != nil {
		return z.usage("%v", err)
	}
	w, code := z.walkOptions(o)
	if code != 0 {
		return code
	}
	w.props = true
	if !w.typed {
		w.takes = all4 // unlike zfs list
	}
	if len(o.args) == 0 {
		return z.usage("missing property argument")
	}
	fields := []string{"name", "property", "value", "source"}
	if text, ok := o.val('o'); ok {
		fields = strings.Split(text, ",")
		if text == "all" {
			fields = []string{"name", "property", "value", "received", "source"}
		}
		for _, f := range fields {
			if !slices.Contains([]string{"name", "property", "value", "received", "source"}, f) {
				return z.usage("invalid column name '%s'", f)
			}
		}
	}
	sources := map[string]bool{"local": true, "default": true, "inherited": true, "received": true, "temporary": true, "none": true}
	if text, ok := o.val('s'); ok {
		clear(sources)
		for _, s := range strings.Split(text, ",") {
			if !slices.Contains([]string{"local", "default", "inherited", "received", "temporary", "none"}, s) {
				return z.usage("invalid source '%s'", s)
			}
			sources[s] = true
		}
	}
	props := strings.Split(o.args[0], ",")
	for i, p := range props {
		switch {
		case p == "all" && len(props) == 1:
		case z.native(p) != nil:
			props[i] = native(p).name
		case strings.Contains(p, ":"), strings.HasPrefix(p, "written@"), strings.HasPrefix(p, "written#"):
		default:
			return z.usage("bad property list: invalid property '%s'", p)
		}
	}
	return z.look(func(t *tx) int { return z.getIn(t, o, w, props, fields, sources) })
}

func (z *cmd) getIn(t *tx, o *options, w listing, props, fields []string, sources map[string]bool) int {
	objects, code := z.objects(t, o.args[1:], w)
	sortObjects(t, objects, nil)
	var rows [][5]string
	for _, x := range objects {
		names := props
		if props[0] == "all" {
			names = t.allProps(x)
		}
		for _, name := range names {
			v, ok := t.prop(x, name, o.has('p'))
			if !ok && props[0] == "all" || !sources[sourceKind(v.source)] {
				continue
			}
			if !ok && !strings.Contains(name, ":") && w.recursive && x.v != nil {
				v = noValue
			}
			rows = append(rows, [5]string{x.name(), name, v.text, v.received, v.source})
		}
	}
	out := bufio.NewWriter(z.out)
	printRows(out, rows, fields, o.has('H'))
	out.Flush()
	return code
}

func sourceKind(source string) string {
	kind, _, _ := strings.Cut(source, " ")
	if kind == "-" {
		return "none"
	}
	return kind
}

// allProps names every property that o has: the native ones in the table's
// order, then the user's.
func (t *tx) allProps(o object) []string {
	var names []string
	for _, p := range propTable {
		if p.takes&o.take() != 0 && p.name != "name" && (p.name != "snapshots_changed" || t.trait.snapsChanged) {
			names = append(names, p.name)
		}
	}
	user := map[string]bool{}
	for at := o.d; at != nil && o.take() != takeBookmark; at = t.get(parentOf(at.name)) {
		for name := range at.Props {
			user[name] = strings.Contains(name, ":")
		}
		for name := range at.Received {
			user[name] = strings.Contains(name, ":")
		}
		if parentOf(at.name) == "" {
			break
		}
	}
	if o.v != nil {
		for name := range o.v.Props {
			user[name] = true
		}
		for name := range o.v.Recvd {
			user[name] = true
		}
	}
	for _, name := range sortedKeys(user) {
		if user[name] {
			names = append(names, name)
		}
	}
	return names
}

func printRows(out *bufio.Writer, rows [][5]string, fields []string, script bool) {
	if len(rows) == 0 {
		return
	}
	at := map[string]int{"name": 0, "property": 1, "value": 2, "received": 3, "source": 4}
	if script {
		for _, r := range rows {
			for i, f := range fields {
				if i > 0 {
					out.WriteByte('\t')
				}
				out.WriteString(r[at[f]])
			}
			out.WriteByte('\n')
		}
		return
	}
	rows = append([][5]string{{"NAME", "PROPERTY", "VALUE", "RECEIVED", "SOURCE"}}, rows...)
	var width [5]int
	for _, r := range rows {
		for i, text := range r {
			width[i] = max(width[i], len(text))
		}
		if strings.Contains(r[1], ":") {
			width[2] = max(width[2], len(r[1])) // libzfs takes the name's length for the value's
		}
	}
	for _, r := range rows {
		for i, f := range fields {
			if i == len(fields)-1 {
				out.WriteString(r[at[f]])
				continue
			}
			fmt.Fprintf(out, "%-*s  ", width[at[f]], r[at[f]])
		}
		out.WriteByte('\n')
	}
}
