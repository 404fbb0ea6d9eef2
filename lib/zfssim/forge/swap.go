package forge

import (
	"encoding/binary"
	"slices"
)

// Swap returns the stream as a machine of the other byte order writes it.
// Payloads stay as they are.
func (s Stream) Swap() Stream {
	out := s.Clone()
	for _, r := range out {
		r.swap()
	}
	return out
}

func (r *Record) swap() {
	at := 0
	for _, size := range layout(r.Get(Type)) {
		if size > 0 {
			slices.Reverse(r.Head[at : at+size])
		}
		at += max(size, -size)
	}
	if r.Order == binary.ByteOrder(binary.LittleEndian) {
		r.Order = binary.BigEndian
	} else {
		r.Order = binary.LittleEndian
	}
	if r.Get(Type) != Begin { // where a DRR_BEGIN has the end of its name
		for at := sumAt; at < Size; at += 8 {
			slices.Reverse(r.Head[at : at+8])
		}
	}
}

// layout is the sizes of a record's numbers in order. Negative ones are bytes
// that have no order.
func layout(kind uint64) []int {
	fields := []int{4, 4}
	switch kind {
	case Begin:
		return append(fields, 8, 8, 8, 4, 4, 8, 8)
	case Object:
		return append(fields, 8, 4, 4, 4, 4, -4, 4, 8, -8, 8)
	case Write:
		return append(fields, 8, 4, 4, 8, 8, 8, -8, 8, 8, 8, 8, 8, 8)
	case WriteByRef:
		return append(fields, 8, 8, 8, 8, 8, 8, 8, -8, 8, 8, 8, 8, 8)
	case Spill:
		return append(fields, 8, 8, 8, -8, 8, -36, 4)
	case WriteEmbedded:
		return append(fields, 8, 8, 8, 8, -8, 4, 4)
	case ObjectRange:
		return append(fields, 8, 8, 8)
	case End:
		return append(fields, 8, 8, 8, 8, 8)
	}
	return append(fields, 8, 8, 8, 8) // DRR_FREEOBJECTS, DRR_FREE, DRR_REDACT
}
