package digest

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/zrepl-tools/zrepl-tools/lib/zfs/stream"
)

// pieceSize is how the contents of an object are cut, whatever its block size.
// It must not be smaller than stream.MaxData, or data would be copied.
const pieceSize = 128 << 10

var errCompressed = errors.New("its blocks are compressed: send it without -c")

// takeWrite adds a block.
func (d *digester) takeWrite(r *stream.Record) error {
	o, err := d.at(r.Object)
	if err != nil {
		return err
	}
	if r.Offset < o.end {
		return fmt.Errorf("it writes to object %d at %d, after %d", r.Object, r.Offset, o.end)
	}
	o.end = r.Offset + r.Length
	if d.result.Raw {
		o.sum.Write(rawHead(r.Offset, r))
		return d.pass(r, func(p []byte) { o.sum.Write(p) })
	}
	if r.Compression != 0 {
		return errCompressed
	}
	at := r.Offset
	for {
		data, err := d.in.Data()
		if data == nil || err != nil {
			return err
		}
		d.piece.add(o, at, data, &d.result.Bytes)
		at += uint64(len(data))
	}
}

// takeSpill keeps a spill block for the end of its object, which is where it
// counts, in whatever order it comes.
func (d *digester) takeSpill(r *stream.Record) error {
	o, err := d.at(r.Object)
	switch {
	case err != nil:
		return err
	case o.spill != nil:
		return fmt.Errorf("object %d has two spill blocks", r.Object)
	case r.Compression != 0 && !d.result.Raw:
		return errCompressed
	}
	if d.result.Raw {
		o.spill = rawHead(spillOffset, r)
	} else {
		o.spill = plainHead(spillOffset, uint32(r.Length))
	}
	sum := sha256.New()
	if err := d.pass(r, func(p []byte) { sum.Write(p) }); err != nil {
		return err
	}
	o.spill = sum.Sum(o.spill)
	return nil
}

// pass gives the payload of a record to use.
func (d *digester) pass(r *stream.Record, use func([]byte)) error {
	d.result.Bytes += r.Payload
	for {
		data, err := d.in.Data()
		if data == nil || err != nil {
			return err
		}
		use(data)
	}
}

// spillOffset stands for the place of a spill block; no data can be there.
const spillOffset = ^uint64(0)

func plainHead(offset uint64, length uint32) []byte {
	h := binary.LittleEndian.AppendUint64(make([]byte, 0, 12), offset)
	return binary.LittleEndian.AppendUint32(h, length)
}

// rawByteswap is DRR_RAW_BYTESWAP. The other flag, DRR_CHECKSUM_DEDUP, says which
// checksum the sender's pool uses, and nothing of the contents.
const rawByteswap = 1 << 1

// rawHead also has what is needed to decrypt the block.
func rawHead(offset uint64, r *stream.Record) []byte {
	h := plainHead(offset, uint32(r.Length))
	h = binary.LittleEndian.AppendUint32(h, uint32(r.Payload))
	h = append(h, r.Compression, r.Flags&rawByteswap)
	return append(h, r.Cipher[:]...)
}

// piece is an incomplete piece of an object.
type piece struct {
	start uint64
	data  []byte // from start on; empty: there is none
}

// add takes data that belongs after all that was added before.
func (p *piece) add(o *object, at uint64, data []byte, count *uint64) {
	for len(data) > 0 {
		start := at &^ (pieceSize - 1)
		if start != p.start {
			p.flush(o, count)
		}
		n := min(int(start+pieceSize-at), len(data))
		if len(p.data) == 0 && at == start && n == pieceSize {
			hashPiece(o, start, data[:n], count)
		} else {
			p.collect(start, at, data[:n])
		}
		at, data = at+uint64(n), data[n:]
	}
}

// collect adds data to the piece, and zeros before it if there was a hole.
func (p *piece) collect(start, at uint64, data []byte) {
	if p.data == nil {
		p.data = make([]byte, 0, pieceSize)
	}
	p.start = start
	have, want := len(p.data), int(at-start)
	p.data = p.data[:want]
	clear(p.data[have:])
	p.data = append(p.data, data...)
}

func (p *piece) flush(o *object, count *uint64) {
	hashPiece(o, p.start, p.data, count)
	p.data = p.data[:0]
}

// hashPiece hashes a piece without the zeros at its end, and nothing of a piece
// of zeros: whether those are stored depends on the block size.
func hashPiece(o *object, start uint64, data []byte, count *uint64) {
	data = trimZeros(data)
	if len(data) == 0 {
		return
	}
	*count += uint64(len(data))
	o.sum.Write(plainHead(start, uint32(len(data))))
	o.sum.Write(data)
}

var zeros [4 << 10]byte

// trimZeros cuts the zeros off the end of data.
func trimZeros(data []byte) []byte {
	for len(data) >= len(zeros) && bytes.Equal(data[len(data)-len(zeros):], zeros[:]) {
		data = data[:len(data)-len(zeros)]
	}
	n := len(data)
	for n > 0 && data[n-1] == 0 {
		n--
	}
	return data[:n]
}
