package zfssim

import (
	"encoding/binary"
	"fmt"
)

// The payload of a package is an nvlist in XDR encoding, as OpenZFS's
// (gather_nvlist in libzfs_sendrecv.c).

const nvNvlist = 19

func packCompound(c *compound) []byte {
	var fss []byte
	for i := range c.Sets {
		fss = xdrPair(fss, fmt.Sprintf("0x%x", c.Sets[i].GUID), nvNvlist, packSet(&c.Sets[i]))
	}
	b := []byte{1, 1, 0, 0} // XDR, little-endian host
	b = append(b, xdrHead...)
	if c.From != "" {
		b = xdrPair(b, "fromsnap", nvString, xdrString(nil, c.From))
	}
	b = xdrPair(b, "tosnap", nvString, xdrString(nil, c.To))
	if !c.Replicate {
		b = xdrPair(b, "not_recursive", nvBoolean, nil)
	}
	if c.Raw {
		b = xdrPair(b, "raw", nvBoolean, nil)
	}
	b = xdrPair(b, "fss", nvNvlist, xdrList(fss))
	return append(b, xdrEnd...)
}

func packSet(s *sentDS) []byte {
	b := xdrPair(nil, "name", nvString, xdrString(nil, s.Name))
	b = xdrPair(b, "parentfromsnap", nvUint64, xdrNumber(s.ParentFrom))
	if s.Origin != 0 {
		b = xdrPair(b, "origin", nvUint64, xdrNumber(s.Origin))
	}
	if s.EncRoot {
		b = xdrPair(b, "is_encroot", nvBoolean, nil)
	}
	if s.HasProps {
		b = xdrPair(b, "props", nvNvlist, packProps(s.Props))
	}
	var snaps, props, holds []byte
	for _, v := range s.Snaps {
		snaps = xdrPair(snaps, v.Name, nvUint64, xdrNumber(v.GUID))
		props = xdrPair(props, v.Name, nvNvlist, packProps(v.Props))
		var tags []byte
		for _, tag := range v.Holds {
			tags = xdrPair(tags, tag, nvUint64, xdrNumber(1))
		}
		if len(v.Holds) > 0 {
			holds = xdrPair(holds, v.Name, nvNvlist, xdrList(tags))
		}
	}
	b = xdrPair(b, "snaps", nvNvlist, xdrList(snaps))
	b = xdrPair(b, "snapprops", nvNvlist, xdrList(props))
	if holds != nil {
		b = xdrPair(b, "snapholds", nvNvlist, xdrList(holds))
	}
	return xdrList(b)
}

func packProps(props map[string]string) []byte {
	var b []byte
	for _, name := range sortedKeys(props) {
		if n, ok := propNumber(name, props[name]); ok {
			b = xdrPair(b, name, nvUint64, xdrNumber(n))
			continue
		}
		b = xdrPair(b, name, nvString, xdrString(nil, props[name]))
	}
	return xdrList(b)
}

const (
	xdrHead = "\x00\x00\x00\x00\x00\x00\x00\x01" // version, unique names
	xdrEnd  = "\x00\x00\x00\x00\x00\x00\x00\x00"
)

func xdrList(pairs []byte) []byte {
	return append(append([]byte(xdrHead), pairs...), xdrEnd...)
}

func xdrNumber(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

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
	size := align8(len(value))
	switch kind {
	case nvNvlist:
		size = 24
	case nvString:
		size = align8(int(binary.BigEndian.Uint32(value)) + 1)
	}
	binary.BigEndian.PutUint32(b[at:], uint32(len(b)-at))
	binary.BigEndian.PutUint32(b[at+4:], uint32(16+align8(len(name)+1)+size))
	return b
}
