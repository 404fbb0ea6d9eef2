package zfssim

import (
	"bytes"
	"os"
	"slices"
	"strings"
)

// fast says whether the columns can be read straight off @snaps: name, guid,
// createtxg and creation of snapshots or bookmarks, in the usual order.
func (l *lister) fast() bool {
	if l.w.takes&takeSet != 0 || !l.o.has('H') || !l.o.has('p') || len(l.keys) > 0 || !l.w.typed {
		return false
	}
	for _, arg := range l.o.args {
		if strings.ContainsAny(arg, "@#") {
			return false
		}
	}
	if len(l.o.args) > 0 && l.w.depth == 0 && !l.w.own() || len(l.o.args) > 1 {
		return false
	}
	if l.w.takes&takeBookmark != 0 {
		return false // bookmarks sort differently
	}
	for _, c := range l.columns {
		if c != "name" && c != "guid" && c != "createtxg" && c != "creation" {
			return false
		}
	}
	return true
}

func (l *lister) allNames() []string {
	var names []string
	for _, p := range l.t.poolNames() {
		names = l.collect(names, p, -1)
	}
	slices.Sort(names)
	return names
}

func (l *lister) below(roots []string) []string {
	var names []string
	depth := l.w.depth
	if depth > 0 {
		depth-- // a snapshot is one below its dataset
	}
	for _, r := range roots {
		names = l.collect(names, r, depth)
	}
	slices.Sort(names)
	return names
}

func (l *lister) collect(names []string, name string, depth int) []string {
	names = append(names, name)
	if depth == 0 {
		return names
	}
	for _, kid := range l.t.children(name) {
		names = l.collect(names, kid, depth-1)
	}
	return names
}

func (l *lister) fastSet(name string) {
	data, err := os.ReadFile(l.t.dir(name, "@snaps"))
	if err != nil {
		return
	}
	var field [4][]byte
	for len(data) > 0 {
		line, rest, _ := bytes.Cut(data, []byte{'\n'})
		data = rest
		kind := byte('@')
		if len(line) == 0 || line[0] != kind {
			continue
		}
		for i := range field {
			field[i], line, _ = bytes.Cut(line, []byte{'\t'})
		}
		for i, c := range l.columns {
			if i > 0 {
				l.out.WriteByte('\t')
			}
			switch c {
			case "name":
				l.out.WriteString(name)
				l.out.Write(field[0])
			case "guid":
				l.out.Write(field[1])
			case "createtxg":
				l.out.Write(field[2])
			case "creation":
				l.out.Write(field[3])
			}
		}
		l.out.WriteByte('\n')
	}
}
