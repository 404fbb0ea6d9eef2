package zfssim

import (
	"bytes"
	"encoding/binary"
	"errors"
)

// An nvlist as libnvpair reads it (module/nvpair/nvpair.c). From XDR it goes by
// the pairs themselves, never by the encoded size that each claims, and ends
// at a decoded size of zero.
type nvlist struct {
	flags uint32
	pairs []nvpair
}

type nvpair struct {
	name string
	kind uint32
	num  uint64
	text string
	list *nvlist
}

var errNvlist = errors.New("malformed nvlist")

// The types that have a value of one XDR word, and those of two.
const (
	nvByte         = 2
	nvUint32       = 6
	nvInt64        = 7
	nvHrtime       = 18
	nvBooleanValue = 21
	nvUint8        = 23
)

// unpackNvlist reads a list of either encoding: XDR, as packages have it, or
// that of the machine's memory.
func unpackNvlist(b []byte) (*nvlist, error) {
	switch {
	case len(b) < 4:
		return nil, errNvlist
	case b[0] == 0:
		return unpackNative(b)
	case b[0] != 1:
		return nil, errNvlist
	}
	d := &xdrReader{b: b[4:]}
	l := d.list(0)
	if d.bad {
		return nil, errNvlist
	}
	return l, nil
}

// An xdrReader reads XDR words until something is wrong.
type xdrReader struct {
	b   []byte
	bad bool
}

func (d *xdrReader) word() uint32 {
	if d.bad || len(d.b) < 4 {
		d.bad = true
		return 0
	}
	n := binary.BigEndian.Uint32(d.b)
	d.b = d.b[4:]
	return n
}

func (d *xdrReader) text() string {
	n := uint64(d.word())
	padded := (n + 3) &^ 3
	if d.bad || padded > uint64(len(d.b)) {
		d.bad = true
		return ""
	}
	s, _, _ := bytes.Cut(d.b[:n], []byte{0})
	d.b = d.b[padded:]
	return string(s)
}

const maxNesting = 20

func (d *xdrReader) list(depth int) *nvlist {
	version := d.word()
	l := &nvlist{flags: d.word()}
	if version != 0 || depth > maxNesting {
		d.bad = true
	}
	for !d.bad {
		d.word() // the encoded size
		if d.word() == 0 || d.bad {
			break
		}
		l.pairs = append(l.pairs, d.pair(depth))
	}
	return l
}

func (d *xdrReader) pair(depth int) nvpair {
	p := nvpair{name: d.text(), kind: d.word()}
	count := d.word()
	switch {
	case p.kind == nvBoolean:
		d.bad = d.bad || count != 0
		return p
	case count != 1:
		d.bad = true
	case p.kind == nvString:
		p.text = d.text()
	case p.kind == nvNvlist:
		p.list = d.list(depth + 1)
	case p.kind == nvInt64, p.kind == nvUint64, p.kind == nvHrtime:
		p.num = uint64(d.word())<<32 | uint64(d.word())
	case p.kind >= nvByte && p.kind <= nvUint32, p.kind >= nvBooleanValue && p.kind <= nvUint8:
		p.num = uint64(d.word())
	default: // arrays
		d.bad = true
	}
	return p
}

// find is nvlist_lookup: by name and type, the last of several. It tells
// whether the pair is missing (ENOENT), which a list that is not there or
// may not be searched is not.
func (l *nvlist) find(name string, kind uint32) (p *nvpair, missing bool) {
	if l == nil || l.flags&3 == 0 {
		return nil, false
	}
	for i := len(l.pairs) - 1; i >= 0; i-- {
		if l.pairs[i].name == name && l.pairs[i].kind == kind {
			return &l.pairs[i], false
		}
	}
	return nil, true
}

func (l *nvlist) number(name string) (uint64, bool) {
	p, _ := l.find(name, nvUint64)
	if p == nil {
		return 0, false
	}
	return p.num, true
}

func (l *nvlist) string(name string) (string, bool) {
	p, _ := l.find(name, nvString)
	if p == nil {
		return "", false
	}
	return p.text, true
}

func (l *nvlist) sub(name string) *nvlist {
	p, _ := l.find(name, nvNvlist)
	if p == nil {
		return nil
	}
	return p.list
}

func (l *nvlist) has(name string) bool {
	p, _ := l.find(name, nvBoolean)
	return p != nil
}
