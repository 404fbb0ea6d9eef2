package main

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/cli"
	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/retention"
)

// group are the lines of one dataset's snapshots. The lines stand one behind
// the other in text, which becomes one string when the group is complete: a
// million lines would otherwise be as many allocations, and more.
type group struct {
	dataset string
	text    []byte
	places  []place
	snaps   []retention.Snapshot // the names are empty before complete
	guids   []dataset.GUID
	all     string
}

// place says where in the text a line and its snapshot's name are.
type place struct{ from, to, name, nameTo int }

func (g *group) complete() {
	g.all = string(g.text)
	for i, at := range g.places {
		g.snaps[i].Name = g.all[at.name:at.nameTo]
	}
}

// unique returns an error if a snapshot is listed twice: the newest would be
// taken for two, of which one may go. Lines as zfs list prints them need only
// one look each.
func (g *group) unique() error {
	ordered := true
	for i := 1; i < len(g.snaps) && ordered; i++ {
		a, b := &g.snaps[i-1], &g.snaps[i]
		ordered = a.Creation <= b.Creation && (a.Creation < b.Creation || a.CreateTXG < b.CreateTXG)
	}
	if ordered {
		return nil
	}
	seen := make(map[string]bool, len(g.snaps))
	for i := range g.snaps {
		name := g.snaps[i].Name
		if seen[name] {
			return cli.Hint(fmt.Errorf("snapshot %q is listed twice", g.dataset+"@"+name), "do lists overlap?")
		}
		seen[name] = true
	}
	return nil
}

func (g *group) line(i int) string { return g.all[g.places[i].from:g.places[i].to] }

// grouper parts lines by dataset and hands each group on when it is complete:
// when another dataset's lines begin, or with unsorted at the end. Who gets a
// group may use it until the next one is handed on.
type grouper struct {
	columns  []string
	strict   bool // all columns must be there; otherwise only the first two
	unsorted bool
	zfs      bool // the lines are zfs's own
	each     func(*group) error

	now   *group
	last  *group            // handed on; it may still be looked at until another is
	spare *group            // handed on before it
	seen  map[string]*group // nil where it was handed on
	order []*group
	line  int
	field [][]byte
}

func newGrouper(c columns, unsorted bool, each func(*group) error) *grouper {
	g := &grouper{columns: c.names, strict: c.given, unsorted: unsorted, each: each, seen: map[string]*group{}}
	if !c.given {
		g.columns = known[:4]
	}
	return g
}

// positioned is what is wrong with a line, and at which of its bytes.
func (gr *grouper) positioned(at int, format string, a ...any) error {
	return fmt.Errorf("line %d, byte %d: %s", gr.line, at+1, fmt.Sprintf(format, a...))
}

// add takes in one line, which stays the caller's.
func (gr *grouper) add(line []byte) error {
	gr.line++
	gr.split(line)
	name, at, err := gr.name(line)
	if err != nil {
		return err
	}
	if err := gr.enter(name, at); err != nil {
		return err
	}
	var s retention.Snapshot
	var guid dataset.GUID
	if err := gr.parse(line, &s, &guid); err != nil {
		return err
	}
	g := gr.now
	from := len(g.text)
	start := from + at + len(g.dataset) + 1
	g.text = append(g.text, line...)
	g.places = append(g.places, place{from, len(g.text), start, from + at + len(name)})
	g.snaps = append(g.snaps, s)
	g.guids = append(g.guids, guid)
	return nil
}

func (gr *grouper) split(line []byte) {
	gr.field = gr.field[:0]
	for len(gr.field) < len(gr.columns) {
		i := bytes.IndexByte(line, '\t')
		if i < 0 {
			gr.field = append(gr.field, line)
			return
		}
		gr.field = append(gr.field, line[:i])
		line = line[i+1:]
	}
}

// offset is where a field of the line begins.
func (gr *grouper) offset(column int) int {
	at := 0
	for _, f := range gr.field[:column] {
		at += len(f) + 1
	}
	return at
}

func (gr *grouper) column(name string) (field []byte, at int, ok bool) {
	for i, f := range gr.field {
		if gr.columns[i] == name {
			return f, gr.offset(i), true
		}
	}
	return nil, 0, false
}

// name finds the snapshot's name and says why it is none.
func (gr *grouper) name(line []byte) (name []byte, at int, err error) {
	if len(gr.field) < 2 {
		return nil, 0, gr.positioned(len(line), "no tab: a line is a name, a tab and a creation")
	}
	name, at, ok := gr.column("name")
	if !ok {
		return nil, 0, gr.positioned(len(line), "the line ends before the column name")
	}
	if len(gr.field) < len(gr.columns) && !slices.Contains(gr.columns[:len(gr.field)], "creation") {
		return nil, 0, gr.positioned(len(line), "the line ends before the column creation")
	}
	kind := bytes.IndexByte(name, '@')
	if mark := bytes.IndexByte(name[:max(kind, 0)], '#'); mark >= 0 {
		kind = mark
	} else if kind < 0 {
		kind = bytes.IndexByte(name, '#')
	}
	switch {
	case kind < 0:
		return nil, 0, gr.positioned(at+len(name), "%q is a dataset, not a snapshot", name)
	case name[kind] == '#':
		return nil, 0, gr.positioned(at+kind, "%q is a bookmark, not a snapshot", name)
	case len(name) > dataset.MaxNameLen:
		return nil, 0, gr.positioned(at+dataset.MaxNameLen, "a name of %d bytes: at most %d", len(name), dataset.MaxNameLen)
	}
	return name, at, nil
}

// enter makes the line's group the present one and checks the name.
func (gr *grouper) enter(name []byte, at int) error {
	cut := bytes.IndexByte(name, '@')
	if gr.now == nil || gr.now.dataset != string(name[:cut]) {
		if err := gr.change(string(name[:cut]), at); err != nil {
			return err
		}
	}
	if plain(name[cut+1:]) {
		return nil
	}
	short := string(name[cut+1:])
	if err := dataset.CheckShort(short); err != nil {
		return gr.positioned(at+cut+1+badByte(dataset.CheckShort, short), "bad snapshot name %q: %v", name, err)
	}
	return nil
}

// plain reports names that need no closer look, as nearly all do.
func plain(short []byte) bool {
	for _, c := range short {
		if (c < 'a' || 'z' < c) && (c < '0' || '9' < c) && c != '_' {
			return false
		}
	}
	return len(short) > 0
}

func (gr *grouper) change(ds string, at int) error {
	if err := dataset.CheckName(ds); err != nil {
		return gr.positioned(at+badByte(dataset.CheckName, ds), "bad dataset name %q: %v", ds, err)
	}
	g, seen := gr.seen[ds]
	if seen && g == nil {
		return cli.Hint(gr.positioned(at, "dataset %q again: its lines must be together", ds),
			"sort them by name, or give -unsorted")
	}
	if !gr.unsorted {
		if err := gr.finish(); err != nil {
			return err
		}
	}
	if g == nil {
		g = gr.fresh(ds)
	}
	gr.now = g
	gr.seen[ds] = g
	return nil
}

// fresh makes a group, of the memory of one that is done with where there is.
func (gr *grouper) fresh(ds string) *group {
	g := &group{}
	if old := gr.spare; old != nil {
		g.text, g.places, g.snaps, g.guids = old.text[:0], old.places[:0], old.snaps[:0], old.guids[:0]
	}
	g.dataset = strings.Clone(ds)
	if gr.unsorted {
		gr.order = append(gr.order, g)
	}
	return g
}

// finish hands on the present group.
func (gr *grouper) finish() error {
	if gr.now == nil {
		return nil
	}
	gr.seen[gr.now.dataset] = nil
	gr.now.complete()
	err := gr.now.unique()
	if err == nil {
		err = gr.each(gr.now)
	}
	gr.last, gr.spare = gr.now, gr.last
	return err
}

// end hands on what is left.
func (gr *grouper) end() error {
	if !gr.unsorted {
		return gr.finish()
	}
	for _, g := range gr.order {
		g.complete()
		if err := g.unique(); err != nil {
			return err
		}
		if err := gr.each(g); err != nil {
			return err
		}
	}
	return nil
}
