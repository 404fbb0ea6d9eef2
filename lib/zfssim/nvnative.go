package zfssim

import (
	"bytes"
	"encoding/binary"
)

// unpackNative reads an nvlist in native encoding: a header, version and
// flags, and pairs that begin with their size, until one of zero. What is in a
// list follows the pair that stands for it.
func unpackNative(b []byte) (*nvlist, error) {
	if len(b) < 12 || b[1] != 1 { // written by a little-endian machine
		return nil, errNvlist
	}
	l := &nvlist{flags: binary.LittleEndian.Uint32(b[8:])}
	rest, ok := l.readNative(b[12:], 0)
	if !ok || len(rest) > 0 {
		return nil, errNvlist
	}
	return l, nil
}

func (l *nvlist) readNative(b []byte, depth int) (rest []byte, ok bool) {
	for len(b) >= 4 && depth <= maxNesting {
		size := uint64(binary.LittleEndian.Uint32(b))
		switch {
		case size == 0:
			return b[4:], true
		case size < 16 || size > uint64(len(b)):
			return nil, false
		}
		p, ok := nativePair(b[:size])
		if b = b[size:]; ok && p.kind == nvNvlist {
			p.list = &nvlist{flags: l.flags}
			b, ok = p.list.readNative(b, depth+1)
		}
		if !ok {
			return nil, false
		}
		l.pairs = append(l.pairs, p)
	}
	return nil, false
}

func nativePair(b []byte) (p nvpair, ok bool) {
	name := int(binary.LittleEndian.Uint16(b[4:]))
	p.kind = binary.LittleEndian.Uint32(b[12:])
	at := 16 + align8(name)
	if name < 1 || at > len(b) {
		return p, false
	}
	text, _, _ := bytes.Cut(b[16:16+name], []byte{0})
	p.name = string(text)
	value := b[at:]
	switch p.kind {
	case nvUint64:
		if len(value) < 8 {
			return p, false
		}
		p.num = binary.LittleEndian.Uint64(value)
	case nvString:
		text, _, _ := bytes.Cut(value, []byte{0})
		p.text = string(text)
	}
	return p, true
}
