// Package listing reads what a plan depends on from files: lists of datasets
// and their versions as zfs list prints them, and what zfs get prints about
// them.
//
// It promises to keep little more than the versions in memory, and to name the
// line that it does not understand. It runs no command.
package listing

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
)

// List is the datasets of one side with their versions.
type List struct {
	Names    []string // datasets, in the order of the file
	versions map[string][]dataset.Version
}

// Has reports whether the list names the dataset.
func (l *List) Has(ds string) bool { _, ok := l.versions[ds]; return ok }

// Versions returns the snapshots and bookmarks of ds, in the order of the file.
func (l *List) Versions(ds string) []dataset.Version { return l.versions[ds] }

// Read reads lines NAME⇥GUID⇥CREATETXG, more columns are ignored, as
//
//	zfs list -Hp -t filesystem,volume,snapshot,bookmark -o name,guid,createtxg
//
// prints them. A dataset that only its versions name counts as one that is
// there. The lines may come in any order; those of one dataset best stand
// together. name is the file's, for errors.
func Read(r io.Reader, name string) (*List, error) {
	p := parser{list: &List{versions: map[string][]dataset.Version{}}}
	in := bufio.NewReaderSize(r, 256<<10)
	for {
		line, err := in.ReadSlice('\n')
		if err != nil && (!errors.Is(err, io.EOF) || len(line) == 0) {
			if errors.Is(err, io.EOF) {
				p.flush()
				return p.list, nil
			}
			return nil, fmt.Errorf("cannot read %q: line %d: %w", name, p.line+1, err)
		}
		p.line++
		if err := p.add(bytes.TrimSuffix(line, []byte("\n"))); err != nil {
			return nil, fmt.Errorf("cannot read %q: line %d: %w", name, p.line, err)
		}
	}
}

// parser collects the versions of one dataset at a time, so that their names
// share one piece of memory and their list is as long as it must be.
type parser struct {
	list  *List
	line  int
	ds    string
	names []byte
	group []pending
}

type pending struct {
	kind      dataset.Kind
	end       int // of its name in parser.names
	guid      dataset.GUID
	createtxg uint64
}

func (p *parser) add(line []byte) error {
	name, rest, ok := bytes.Cut(line, []byte("\t"))
	guidText, txgText, ok2 := bytes.Cut(rest, []byte("\t"))
	txgText, _, _ = bytes.Cut(txgText, []byte("\t"))
	if !ok || !ok2 {
		return errors.New("not NAME, GUID and CREATETXG with tabs between")
	}
	at := p.split(name)
	if ds := name[:at]; p.ds == "" || string(ds) != p.ds {
		if err := p.start(string(ds)); err != nil {
			return err
		}
	}
	if at == len(name) {
		return nil
	}
	v := pending{kind: dataset.Kind(name[at])}
	if err := checkShort(name[at+1:]); err != nil {
		return fmt.Errorf("%q: %w", name, err)
	}
	var err error
	if v.guid, err = dataset.ParseGUID(string(guidText)); err != nil {
		return err
	}
	if v.createtxg, err = strconv.ParseUint(string(txgText), 10, 64); err != nil {
		return fmt.Errorf("createtxg %q is not a number", txgText)
	}
	p.names = append(p.names, name[at+1:]...)
	v.end = len(p.names)
	p.group = append(p.group, v)
	return nil
}

// split returns where the dataset's name ends. Mostly it is the one of the
// line before.
func (p *parser) split(name []byte) int {
	n := len(p.ds)
	if n > 0 && len(name) > n && (name[n] == '@' || name[n] == '#') && string(name[:n]) == p.ds {
		return n
	}
	if at := bytes.IndexAny(name, "@#"); at >= 0 {
		return at
	}
	return len(name)
}

// checkShort is dataset.CheckShort without making a string of what is mostly
// there: a legal name without a blank.
func checkShort(short []byte) error {
	for _, c := range short {
		if !plain[c] {
			return dataset.CheckShort(string(short))
		}
	}
	if len(short) == 0 || len(short) > dataset.MaxNameLen || short[0] == '.' {
		return dataset.CheckShort(string(short))
	}
	return nil
}

// plain are the bytes of most names.
var plain = func() (t [256]bool) {
	for _, c := range []byte("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:") {
		t[c] = true
	}
	return t
}()

func (p *parser) start(ds string) error {
	p.flush()
	p.ds = ds
	if _, known := p.list.versions[ds]; known {
		return nil
	}
	if err := dataset.CheckName(ds); err != nil {
		return fmt.Errorf("%q: %w", ds, err)
	}
	p.list.Names = append(p.list.Names, ds)
	p.list.versions[ds] = nil
	return nil
}

func (p *parser) flush() {
	if len(p.group) == 0 {
		return
	}
	names := string(p.names)
	vs := slices.Grow(p.list.versions[p.ds], len(p.group))
	begin := 0
	for _, v := range p.group {
		vs = append(vs, dataset.Version{Kind: v.kind, Name: names[begin:v.end], GUID: v.guid, CreateTXG: v.createtxg})
		begin = v.end
	}
	p.list.versions[p.ds] = vs
	p.names, p.group = p.names[:0], p.group[:0]
}
