package stream

import "encoding/binary"

// checksum is that of a stream (fletcher4, zfs_fletcher.c): sums over words of 4
// bytes in the stream's byte order.
type checksum [4]uint64

// add takes the next bytes. If their number is no multiple of 4, zeros follow
// the last ones: only the end of a payload may be like that.
func (f *checksum) add(p []byte, order binary.ByteOrder) {
	whole := len(p) &^ 3
	if order == binary.ByteOrder(binary.BigEndian) {
		f.addBig(p[:whole])
	} else {
		f.addLittle(p[:whole])
	}
	if whole < len(p) {
		var last [4]byte
		copy(last[:], p[whole:])
		f.add(last[:], order)
	}
}

// addLittle and addBig are two functions, as a call for each word would take
// longer than the sum.
func (f *checksum) addLittle(p []byte) {
	a, b, c, d := f[0], f[1], f[2], f[3]
	for ; len(p) >= 4; p = p[4:] {
		a += uint64(binary.LittleEndian.Uint32(p))
		b += a
		c += b
		d += c
	}
	*f = checksum{a, b, c, d}
}

func (f *checksum) addBig(p []byte) {
	a, b, c, d := f[0], f[1], f[2], f[3]
	for ; len(p) >= 4; p = p[4:] {
		a += uint64(binary.BigEndian.Uint32(p))
		b += a
		c += b
		d += c
	}
	*f = checksum{a, b, c, d}
}

// sumIn is the checksum that a record holds.
func sumIn(p []byte, order binary.ByteOrder) (f checksum) {
	for i := range f {
		f[i] = order.Uint64(p[8*i:])
	}
	return f
}
