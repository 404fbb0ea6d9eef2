package zfs

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// Types of nvpairs that a resume token holds (sys/nvpair.h).
const (
	nvBoolean     = 1
	nvUint64      = 8
	nvString      = 9
	nvUint64Array = 16
)

type nvpair struct {
	name   string
	kind   int32
	number uint64
	text   string
	raw    []byte // of XDR: the value as it is
}

var errNvlist = errors.New("not a packed nvlist")

// decodeNvlist reads a flat nvlist in native encoding: a header of four
// bytes (encoding 0, endianness, two reserved), version and flags, and the
// pairs: size, length of the name, reserved, number of values, type, then
// the name and the value, each padded to 8 bytes (module/nvpair/nvpair.c).
func decodeNvlist(b []byte) ([]nvpair, error) {
	if len(b) < 12 || b[0] != 0 || b[1] > 1 {
		return nil, errNvlist
	}
	var order binary.ByteOrder = binary.BigEndian
	if b[1] == 1 {
		order = binary.LittleEndian
	}
	b = b[12:]
	var pairs []nvpair
	for {
		if len(b) < 4 {
			return nil, errNvlist
		}
		size := int(int32(order.Uint32(b)))
		if size == 0 {
			if len(b) != 4 {
				return nil, errNvlist
			}
			return pairs, nil
		}
		if size < 16 || size > len(b) {
			return nil, errNvlist
		}
		pair, err := decodePair(order, b[:size])
		if err != nil {
			return nil, err
		}
		for _, p := range pairs {
			if p.name == pair.name {
				return nil, fmt.Errorf("key %q twice", p.name)
			}
		}
		pairs, b = append(pairs, pair), b[size:]
	}
}

func decodePair(order binary.ByteOrder, b []byte) (nvpair, error) {
	nameLen := int(int16(order.Uint16(b[4:])))
	count := int32(order.Uint32(b[8:]))
	p := nvpair{kind: int32(order.Uint32(b[12:]))}
	start := 16 + (nameLen+7)&^7
	if nameLen < 2 || start > len(b) || b[16+nameLen-1] != 0 {
		return p, errNvlist
	}
	p.name = string(b[16 : 16+nameLen-1])
	value := b[start:]
	switch p.kind {
	case nvBoolean, nvUint64Array:
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
	default:
		return p, fmt.Errorf("key %q is of type %d", p.name, p.kind)
	}
	return p, nil
}
