package stream

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// Types of nvpairs that a resume token, or the first record of a stream, holds
// (sys/nvpair.h).
const (
	nvBoolean     = 1
	nvUint64      = 8
	nvString      = 9
	nvUint64Array = 16
	nvList        = 19
	nvListArray   = 20
)

type nvpair struct {
	name   string
	kind   int32
	number uint64
	text   string
}

var errNvlist = errors.New("not a packed nvlist")

// decodeNvlist reads an nvlist in native encoding: a header of four bytes
// (encoding 0, endianness, two reserved), version and flags, and the pairs:
// size, length of the name, reserved, number of values, type, then the name
// and the value, each padded to 8 bytes, and a size of 0 at the end
// (module/nvpair/nvpair.c). The pairs of a list within the list follow its own
// pair; they are passed over, and may hold no further list.
func decodeNvlist(b []byte) ([]nvpair, error) {
	if len(b) < 12 || b[0] != 0 || b[1] > 1 {
		return nil, errNvlist
	}
	var order binary.ByteOrder = binary.BigEndian
	if b[1] == 1 {
		order = binary.LittleEndian
	}
	pairs, rest, err := decodePairs(order, b[12:], true)
	if err == nil && len(rest) != 0 {
		err = errNvlist
	}
	return pairs, err
}

// decodePairs reads pairs up to the end of their list.
func decodePairs(order binary.ByteOrder, b []byte, outermost bool) (pairs []nvpair, rest []byte, err error) {
	names := map[string]bool{}
	for {
		if len(b) < 4 {
			return nil, nil, errNvlist
		}
		size := int(int32(order.Uint32(b)))
		if size == 0 {
			return pairs, b[4:], nil
		}
		if size < 16 || size > len(b) {
			return nil, nil, errNvlist
		}
		pair, err := decodePair(order, b[:size])
		if err != nil {
			return nil, nil, err
		}
		if names[pair.name] {
			return nil, nil, fmt.Errorf("key %q twice", pair.name)
		}
		names[pair.name] = true
		pairs, b = append(pairs, pair), b[size:]
		switch {
		case pair.kind == nvList && outermost:
			if _, b, err = decodePairs(order, b, false); err != nil {
				return nil, nil, err
			}
		case pair.kind == nvList, pair.kind == nvListArray:
			return nil, nil, fmt.Errorf("key %q is a list where none can be", pair.name)
		}
	}
}

func decodePair(order binary.ByteOrder, b []byte) (nvpair, error) {
	nameLen := int(int16(order.Uint16(b[4:])))
	count := int32(order.Uint32(b[8:]))
	p := nvpair{kind: int32(order.Uint32(b[12:]))}
	start := 16 + (nameLen+7)&^7
	if nameLen < 2 || start > len(b) || bytes.IndexByte(b[16:16+nameLen], 0) != nameLen-1 {
		return p, errNvlist
	}
	p.name = string(b[16 : 16+nameLen-1])
	value := b[start:]
	switch p.kind {
	case nvUint64:
		if count != 1 || len(value) != 8 {
			return p, errNvlist
		}
		p.number = order.Uint64(value)
	case nvString:
		end := bytes.IndexByte(value, 0)
		if count != 1 || end < 0 {
			return p, errNvlist
		}
		p.text = string(value[:end])
	}
	return p, nil
}
