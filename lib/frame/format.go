// Package frame carries a byte stream so that its end, its failure and its
// corruption are visible to the reader: the format that zframe(5) describes,
// version 1.
//
// A framed stream is one header, data frames with heartbeats between them,
// and one trailer. [Writer] and [Reader] are the plain form, over any byte
// stream; neither writes nor reads a byte more than the stream has, so that
// streams and other things can follow one another on a connection. [Send] and
// [Receive] move whole streams between descriptors as fast as the system
// allows.
//
// The package starts no programs and knows nothing of what it carries.
package frame

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// The limits of one frame, in bytes, without its checksum.
const (
	MaxData    = 1 << 20
	MaxHeader  = 64 << 10
	MaxTrailer = 64 << 10
)

// Type is the type of a frame.
type Type uint8

// The types of frames.
const (
	TypeHeader    Type = 0x01
	TypeData      Type = 0x02
	TypeTrailer   Type = 0x03
	TypeHeartbeat Type = 0x04
	TypeReset     Type = 0xff
)

func (t Type) String() string {
	switch t {
	case TypeHeader:
		return "header"
	case TypeData:
		return "data"
	case TypeTrailer:
		return "trailer"
	case TypeHeartbeat:
		return "heartbeat"
	case TypeReset:
		return "reset"
	}
	return fmt.Sprintf("type %#02x", uint8(t))
}

// Checksum is how the data of a stream is protected.
type Checksum uint8

const (
	None   Checksum = iota // only the frames themselves are protected
	CRC32C                 // every data frame has the running CRC-32C of all data so far
)

func (c Checksum) String() string {
	if c == CRC32C {
		return "crc32c"
	}
	return "none"
}

// ParseChecksum reads "none" or "crc32c".
func ParseChecksum(s string) (Checksum, error) {
	switch s {
	case "none":
		return None, nil
	case "crc32c":
		return CRC32C, nil
	}
	return None, fmt.Errorf("unknown checksum %q (none, crc32c)", s)
}

const (
	prefixSize = 12     // what every frame begins with
	sumSize    = 4      // a CRC-32C
	flagSum    = 1 << 0 // the last 4 bytes of the frame are a CRC-32C
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// prefix is what every frame begins with. Length counts all that follows it
// in the frame, a checksum too.
type prefix struct {
	typ    Type
	flags  uint8
	seq    uint16
	length uint32
}

// appendTo appends the 12 bytes: the fields, little-endian, and their CRC-32C.
func (p prefix) appendTo(b []byte) []byte {
	start := len(b)
	b = append(b, byte(p.typ), p.flags)
	b = binary.LittleEndian.AppendUint16(b, p.seq)
	b = binary.LittleEndian.AppendUint32(b, p.length)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b[start:], castagnoli))
}

// parsePrefix reads 12 bytes, and checks all that they say by themselves.
func parsePrefix(b []byte) (prefix, error) {
	if crc32.Checksum(b[:8], castagnoli) != binary.LittleEndian.Uint32(b[8:]) {
		return prefix{}, corrupt("a frame's first 12 bytes do not match their checksum")
	}
	p := prefix{
		typ:    Type(b[0]),
		flags:  b[1],
		seq:    binary.LittleEndian.Uint16(b[2:]),
		length: binary.LittleEndian.Uint32(b[4:]),
	}
	return p, p.check()
}

// check holds the length against the limits, and the flags against the type.
func (p prefix) check() error {
	if p.flags&^flagSum != 0 {
		return corrupt("unknown flags %#02x in a %v frame", p.flags, p.typ)
	}
	summed := p.flags&flagSum != 0
	least, most := uint32(0), uint32(0)
	switch p.typ {
	case TypeHeader, TypeTrailer:
		if !summed {
			return corrupt("a %v frame without a checksum", p.typ)
		}
		least, most = 2, MaxHeader // "{}"
	case TypeData:
		least, most = 1, MaxData
	case TypeHeartbeat, TypeReset:
		if summed {
			return corrupt("unknown flags %#02x in a %v frame", p.flags, p.typ)
		}
	default:
		return corrupt("unknown frame of %v", p.typ)
	}
	if summed {
		least, most = least+sumSize, most+sumSize
	}
	if p.length < least || p.length > most {
		return corrupt("a %v frame of %d bytes (%d to %d are allowed)", p.typ, p.length, least, most)
	}
	return nil
}

// payload is how many bytes of the frame are its payload.
func (p prefix) payload() int {
	if p.flags&flagSum != 0 {
		return int(p.length) - sumSize
	}
	return int(p.length)
}
