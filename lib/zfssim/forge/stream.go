package forge

import "encoding/binary"

// A Stream is a list of records: a plain stream or a package of streams.
type Stream []*Record

// Parse takes a stream of either byte order apart.
func Parse(b []byte) (Stream, error) {
	var s Stream
	var order binary.ByteOrder = binary.LittleEndian
	for len(b) > 0 {
		if len(b) < Size {
			return nil, errCut
		}
		r := &Record{Head: [Size]byte(b), Order: order}
		if r.Get(Type) == Begin { // 0 in either order
			order = orderOf(b)
			r.Order = order
		}
		n, err := r.payload()
		if err != nil {
			return nil, err
		}
		b = b[Size:]
		if n > uint64(len(b)) {
			return nil, errCut
		}
		r.Payload = append([]byte(nil), b[:n]...)
		s, b = append(s, r), b[n:]
	}
	return s, nil
}

func orderOf(head []byte) binary.ByteOrder {
	if binary.BigEndian.Uint64(head[8:]) == MagicNumber {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

// Begins returns the DRR_BEGIN records.
func (s Stream) Begins() []*Record {
	var out []*Record
	for _, r := range s {
		if r.Get(Type) == Begin {
			out = append(out, r)
		}
	}
	return out
}

// Clone returns a copy that shares nothing.
func (s Stream) Clone() Stream {
	out := make(Stream, len(s))
	for i, r := range s {
		out[i] = r.Clone()
	}
	return out
}

// Bytes writes the stream, with right checksums in every record that is not
// Verbatim. The sum starts anew at each DRR_BEGIN. A DRR_END that follows a
// DRR_END closes a package and has none.
func (s Stream) Bytes() []byte {
	var out []byte
	var sum fletcher4
	for i, r := range s {
		head := r.Head
		kind := r.Get(Type)
		switch {
		case kind == Begin:
			sum = fletcher4{}
		case r.Verbatim, kind == End && i > 0 && s[i-1].Get(Type) == End:
			out = append(append(out, head[:]...), r.Payload...)
			continue
		case kind == End:
			sum.put(head[8:], r.Order)
		}
		sum.add(head[:sumAt], r.Order)
		if kind != Begin {
			sum.put(head[sumAt:], r.Order)
		}
		sum.add(head[sumAt:], r.Order)
		sum.add(r.Payload, r.Order)
		out = append(append(out, head[:]...), r.Payload...)
	}
	return out
}

const sumAt = Size - 32

// A fletcher4 is OpenZFS's sum (zfs_fletcher.c) over words of the stream's
// byte order.
type fletcher4 [4]uint64

func (f *fletcher4) add(p []byte, order binary.ByteOrder) {
	for len(p)%4 != 0 {
		p = append(p[:len(p):len(p)], 0)
	}
	for ; len(p) > 0; p = p[4:] {
		f[0] += uint64(order.Uint32(p))
		f[1] += f[0]
		f[2] += f[1]
		f[3] += f[2]
	}
}

func (f *fletcher4) put(p []byte, order binary.ByteOrder) {
	for i, v := range f {
		order.PutUint64(p[8*i:], v)
	}
}
