package forge

import "encoding/binary"

// Package wraps streams as zfs send -R, -I and -p do. name is the outer name,
// payload what Pack made, or nil as zfs send -I alone has it.
func Package(name string, payload []byte, inner ...Stream) Stream {
	begin := New(Begin, binary.LittleEndian)
	begin.SetHeader(2)
	begin.SetName(name)
	begin.SetPayload(payload)
	s := Stream{begin, New(End, binary.LittleEndian)}
	for _, in := range inner {
		s = append(s, in.Clone()...)
	}
	return append(s, New(End, binary.LittleEndian))
}

// SetPayload changes a DRR_BEGIN's payload and its length.
func (r *Record) SetPayload(p []byte) {
	r.Payload = p
	r.Set(PayloadLen, uint64(len(p)))
}

// The types of values in an nvlist (sys/nvpair.h).
const (
	nvBoolean      = 1
	nvUint64       = 8
	nvString       = 9
	nvList         = 19
	nvBooleanValue = 21
)

// A Pair is one pair of an nvlist. Value is nil (a boolean that is there), a
// bool (a boolean value), a uint64, a string, []Pair or a Raw.
type Pair struct {
	Name  string
	Value any
	Size  int // the encoded size that it claims; 0 is the true one
	// Hidden follow the pair inside the size that it claims. libzfs, which
	// does not go by sizes, reads them and stops behind the last.
	Hidden []Pair
}

// A Raw is a value as its bytes.
type Raw struct {
	Kind, Count uint32
	Bytes       []byte
}

// Pack encodes pairs as the payload of a package: an nvlist in XDR.
func Pack(pairs ...Pair) []byte {
	return append([]byte{1, 1, 0, 0}, List(pairs...)...)
}

// List encodes pairs as an nvlist without the four bytes that tell the encoding.
func List(pairs ...Pair) []byte {
	b := []byte{0, 0, 0, 0, 0, 0, 0, 1}
	for _, p := range pairs {
		b = append(b, p.encode()...)
	}
	return append(b, make([]byte, 8)...)
}

func (p Pair) encode() []byte {
	v := rawOf(p.Value)
	be := binary.BigEndian
	b := xdrString(p.Name)
	b = be.AppendUint32(b, v.Kind)
	b = be.AppendUint32(b, v.Count)
	b = append(b, v.Bytes...)
	var hidden []byte
	if p.Hidden != nil {
		hidden = List(p.Hidden...)[8:]
	}
	size := p.Size
	if size == 0 {
		size = len(b) + 8 + len(hidden)
	}
	h := be.AppendUint32(nil, uint32(size))
	h = be.AppendUint32(h, uint32(p.decoded(v)))
	return append(append(h, b...), hidden...)
}

// decoded is the pair's size in memory.
func (p Pair) decoded(v Raw) int {
	n := 16 + align8(len(p.Name)+1)
	switch value := p.Value.(type) {
	case nil:
		return n
	case string:
		return n + align8(len(value)+1)
	case []Pair:
		return n + 24
	case bool, uint64:
		return n + 8
	}
	return n + align8(len(v.Bytes))
}

func align8(n int) int { return (n + 7) &^ 7 }

func rawOf(v any) Raw {
	be := binary.BigEndian
	switch v := v.(type) {
	case bool:
		n := uint32(0)
		if v {
			n = 1
		}
		return Raw{nvBooleanValue, 1, be.AppendUint32(nil, n)}
	case uint64:
		return Raw{nvUint64, 1, be.AppendUint64(nil, v)}
	case string:
		return Raw{nvString, 1, xdrString(v)}
	case []Pair:
		return Raw{nvList, 1, List(v...)}
	case Raw:
		return v
	}
	return Raw{nvBoolean, 0, nil}
}

func xdrString(s string) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(s)))
	b = append(b, s...)
	return append(b, make([]byte, -len(s)&3)...)
}
