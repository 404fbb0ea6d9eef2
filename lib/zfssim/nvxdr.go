package zfssim

import (
	"encoding/binary"
	"encoding/json"
	"errors"
)

// The payload of a package is an nvlist in XDR encoding, as OpenZFS's
// (send_prelim_records in libzfs_sendrecv.c), for those who look into it. What
// this simulator says of the datasets stands in it as JSON, in the place of
// the list of each filesystem's properties.

const nvNvlist = 19

func packCompound(c *compound) ([]byte, error) {
	text, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	fss := xdrPair(nil, "sets", nvString, xdrString(nil, string(text)))
	b := []byte{1, 1, 0, 0} // XDR, little-endian host
	b = append(b, xdrHead...)
	b = xdrPair(b, "tosnap", nvString, xdrString(nil, c.To))
	if !c.Replicate {
		b = xdrPair(b, "not_recursive", nvBoolean, nil)
	}
	if c.Raw {
		b = xdrPair(b, "raw", nvBoolean, nil)
	}
	b = xdrPair(b, "fss", nvNvlist, append(append([]byte(xdrHead), fss...), xdrEnd...))
	return append(b, xdrEnd...), nil
}

const (
	xdrHead = "\x00\x00\x00\x00\x00\x00\x00\x01" // version, unique names
	xdrEnd  = "\x00\x00\x00\x00\x00\x00\x00\x00"
)

var errPackage = errors.New("not the payload of a package")

func unpackCompound(b []byte, c *compound) error {
	if len(b) < 12 || b[0] != 1 {
		return errPackage
	}
	fss, err := xdrFind(b[12:], "fss")
	if err != nil || len(fss) < 8 {
		return errPackage
	}
	text, err := xdrFind(fss[8:], "sets")
	if err != nil || len(text) < 4 || uint64(binary.BigEndian.Uint32(text)) > uint64(len(text)-4) {
		return errPackage
	}
	return readJSONBytes(text[4:4+binary.BigEndian.Uint32(text)], c)
}

func xdrString(b []byte, s string) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
	b = append(b, s...)
	return append(b, make([]byte, -len(s)&3)...)
}

// xdrPair appends a pair: its size, that of it decoded, name, type, number of
// values, value.
func xdrPair(b []byte, name string, kind uint32, value []byte) []byte {
	n := uint32(1)
	if kind == nvBoolean {
		n = 0
	}
	at := len(b)
	b = append(b, make([]byte, 8)...)
	b = xdrString(b, name)
	b = binary.BigEndian.AppendUint32(b, kind)
	b = binary.BigEndian.AppendUint32(b, n)
	b = append(b, value...)
	binary.BigEndian.PutUint32(b[at:], uint32(len(b)-at))
	binary.BigEndian.PutUint32(b[at+4:], uint32(16+align8(len(name)+1)+align8(len(value))))
	return b
}

// xdrFind returns the value of a pair, and what follows it.
func xdrFind(b []byte, name string) ([]byte, error) {
	for len(b) >= 12 {
		size := binary.BigEndian.Uint32(b)
		if size < 12 || uint64(size) > uint64(len(b)) {
			break
		}
		pair := b[8:size]
		b = b[size:]
		n := uint64(binary.BigEndian.Uint32(pair))
		head := 4 + (n+3)&^3 + 8
		if head > uint64(len(pair)) {
			break
		}
		if string(pair[4:4+n]) == name {
			return pair[head:], nil
		}
	}
	return nil, errPackage
}
