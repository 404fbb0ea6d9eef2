package zfssim

import (
	"bufio"
	"fmt"
	"strconv"
	"strings"
)

// A listing is what zfs list and zfs get walk over.
type listing struct {
	takes     int
	depth     int // -1: no limit
	recursive bool
	typed     bool // -t was given
	props     bool // zfs get
}

func (z *cmd) takesOf(text string) (int, int) {
	takes := 0
	for _, word := range strings.Split(text, ",") {
		switch word {
		case "filesystem", "fs":
			takes |= takeFS
		case "volume", "vol":
			takes |= takeVolume
		case "snapshot", "snap":
			takes |= takeSnapshot
		case "bookmark":
			takes |= takeBookmark
		case "all":
			takes |= all4
		default:
			return 0, z.usage("invalid type '%s'", word)
		}
	}
	return takes, 0
}

func (z *cmd) walkOptions(o *options) (listing, int) {
	w := listing{takes: takeSet, depth: 0}
	if o.has('r') {
		w.depth, w.recursive = -1, true
	}
	if text, ok := o.val('d'); ok {
		n, err := strconv.Atoi(text)
		if err != nil {
			return w, z.usage("%s is not an integer", text)
		}
		w.depth, w.recursive = n, true
	}
	for _, text := range o.vals['t'] {
		takes, code := z.takesOf(text)
		if code != 0 {
			return w, code
		}
		if !w.typed {
			w.takes = 0
		}
		w.typed = true
		w.takes |= takes
	}
	return w, 0
}

func (z *cmd) list(args []string) int {
	o, err := getopt(args, "HS:d:jo:prs:t:", nil)
	if err != nil {
		return z.usage("%v", err)
	}
	w, code := z.walkOptions(o)
	if code != 0 {
		return code
	}
	columns := strings.Split("name,used,available,referenced,mountpoint", ",")
	if text, ok := o.val('o'); ok {
		columns = nil
		for _, c := range strings.Split(text, ",") {
			switch {
			case c == "space":
				columns = append(columns, "name", "available", "used", "usedbysnapshots", "usedbydataset", "usedbyrefreservation", "usedbychildren")
			case z.native(c) != nil:
				columns = append(columns, native(c).name)
			case strings.Contains(c, ":") || strings.HasPrefix(c, "written@") || strings.HasPrefix(c, "written#"):
				columns = append(columns, c)
			default:
				return z.usage("bad property list: invalid property '%s'", c)
			}
		}
	}
	keys, code := z.sortKeys(o)
	if code != 0 {
		return code
	}
	return z.look(func(t *tx) int {
		l := &lister{z: z, t: t, o: o, columns: columns, keys: keys, w: w, out: bufio.NewWriterSize(z.out, 1<<16)}
		code := l.run()
		if l.out.Flush() != nil {
			return 1
		}
		return code
	})
}

type sortKey struct {
	name string
	desc bool
}

func (z *cmd) sortKeys(o *options) ([]sortKey, int) {
	var keys []sortKey
	s, d := o.vals['s'], o.vals['S']
	for _, c := range o.order {
		var name string
		switch c {
		case 's':
			name, s = s[0], s[1:]
		case 'S':
			name, d = d[0], d[1:]
		default:
			continue
		}
		if z.native(name) == nil && !isUser(name) {
			return nil, z.fail(2, "invalid property '%s'", name)
		}
		keys = append(keys, sortKey{canonical(name), c == 'S'})
	}
	return keys, 0
}

type lister struct {
	z       *cmd
	t       *tx
	o       *options
	columns []string
	keys    []sortKey
	w       listing
	out     *bufio.Writer
	rows    [][]string
}

func (l *lister) run() int {
	if l.fast() {
		names, code := l.z.roots(l.t, l.o.args, &l.w)
		if len(l.o.args) == 0 {
			names = l.allNames()
		} else {
			names = l.below(names)
		}
		for _, name := range names {
			l.fastSet(name)
		}
		return code
	}
	objects, code := l.z.objects(l.t, l.o.args, l.w)
	sortObjects(l.t, objects, l.keys)
	for _, o := range objects {
		l.row(o)
	}
	l.table()
	if len(objects) == 0 && code == 0 && len(l.o.args) == 0 && !l.o.has('H') {
		return l.z.fail(0, "no datasets available")
	}
	return code
}

func (l *lister) row(o object) {
	row := make([]string, len(l.columns))
	for i, c := range l.columns {
		v, _ := l.t.prop(o, c, l.o.has('p'))
		row[i] = v.text
	}
	if l.o.has('H') {
		l.out.WriteString(strings.Join(row, "\t"))
		l.out.WriteByte('\n')
		return
	}
	l.rows = append(l.rows, row)
}

// table prints the rows in columns as wide as their widest value.
func (l *lister) table() {
	if len(l.rows) == 0 {
		return
	}
	head := make([]string, len(l.columns))
	for i, c := range l.columns {
		head[i] = strings.ToUpper(c)
		if p := native(c); p != nil {
			head[i] = p.header()
		}
	}
	rows := append([][]string{head}, l.rows...)
	width := make([]int, len(l.columns))
	for _, row := range rows {
		for i, text := range row {
			width[i] = max(width[i], len(text))
		}
	}
	for _, row := range rows {
		for i, text := range row {
			if i > 0 {
				l.out.WriteString("  ")
			}
			p := native(l.columns[i])
			switch {
			case p != nil && p.right:
				fmt.Fprintf(l.out, "%*s", width[i], text)
			case i == len(row)-1:
				l.out.WriteString(text)
			default:
				fmt.Fprintf(l.out, "%-*s", width[i], text)
			}
		}
		l.out.WriteByte('\n')
	}
}
