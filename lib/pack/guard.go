package pack

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// MaxWindow is the largest window of a frame that is accepted, in bytes: what
// the decompressor has to keep in memory, and what level 19 makes.
const MaxWindow = 8 << 20

const (
	magic    = 0xFD2FB528
	maxBlock = 128 << 10
)

// maxEmpty is how many blocks in a row may hold nothing. What compresses as data
// comes may make one where it is flushed; endless ones would only keep the
// reader waiting.
const maxEmpty = 16

// Guard follows the structure of compressed data before the decompressor sees
// it, and refuses all but one frame of RFC 8878. It is a frame.Splitter of one
// part.
type Guard struct {
	held   []byte // the beginning of what is read next
	skip   int    // bytes of a block, which the decompressor judges
	at     place
	empty  int  // blocks of no bytes in a row
	last   bool // no block comes after this one
	summed bool // a checksum comes after the last block
}

type place uint8

const (
	atHeader place = iota
	atBlock
	atSum
	atEnd
)

var errBehind = errors.New("more comes after the end of the compressed data")

// Split passes a piece on if nothing in it is refused.
func (g *Guard) Split(piece []byte) (pass, rest []byte, last bool, err error) {
	for left := piece; len(left) > 0; {
		if g.skip > 0 {
			n := min(g.skip, len(left))
			g.skip, left = g.skip-n, left[n:]
			g.leaveBlock()
			continue
		}
		need, err := g.need()
		if err != nil {
			return nil, nil, false, err
		}
		n := min(need-len(g.held), len(left))
		g.held, left = append(g.held, left[:n]...), left[n:]
		if len(g.held) < need {
			continue
		}
		if err := g.take(); err != nil {
			return nil, nil, false, err
		}
	}
	return piece, nil, false, nil
}

// End refuses data that is not whole.
func (g *Guard) End() error {
	if g.at != atEnd {
		return errors.New("the compressed data ends too early")
	}
	return nil
}

// need is how many bytes have to be seen at once.
func (g *Guard) need() (int, error) {
	switch g.at {
	case atHeader:
		if len(g.held) < 5 {
			return 5, nil
		}
		return 5 + headerSize(g.held[4]), nil
	case atBlock:
		return 3, nil
	case atSum:
		return 4, nil
	}
	return 0, errBehind
}

// take reads what was needed.
func (g *Guard) take() error {
	switch g.at {
	case atHeader:
		if len(g.held) == 5 { // more of it comes, always
			return checkBeginning(g.held)
		}
		if w := window(g.held[4], g.held[5:]); w > MaxWindow {
			return fmt.Errorf("the compressed data needs a window of %d bytes: at most %d are accepted", w, MaxWindow)
		}
		g.summed, g.at = g.held[4]&(1<<2) != 0, atBlock
	case atBlock:
		if err := g.block(uint32(g.held[0]) | uint32(g.held[1])<<8 | uint32(g.held[2])<<16); err != nil {
			return err
		}
	case atSum:
		g.at = atEnd
	}
	g.held = g.held[:0]
	return nil
}

// block reads the header of a block.
func (g *Guard) block(header uint32) error {
	size := int(header >> 3)
	if size > maxBlock {
		return fmt.Errorf("a block of %d bytes in the compressed data: at most %d are allowed", size, maxBlock)
	}
	g.last, g.skip = header&1 != 0, size
	if g.empty++; size > 0 || g.last {
		g.empty = 0
	}
	if g.empty > maxEmpty {
		return errors.New("the compressed data has too many blocks of no bytes")
	}
	switch header >> 1 & 3 {
	case 1: // one byte, repeated
		g.skip = 1
	case 3:
		return errors.New("a block of an unknown type in the compressed data")
	}
	g.leaveBlock()
	return nil
}

// leaveBlock goes on behind the last block once all of it was seen.
func (g *Guard) leaveBlock() {
	switch {
	case g.skip > 0 || !g.last:
	case g.summed:
		g.at = atSum
	default:
		g.at = atEnd
	}
}

// checkBeginning looks at the magic number and the descriptor of a frame.
func checkBeginning(b []byte) error {
	switch {
	case binary.LittleEndian.Uint32(b) != magic:
		return errors.New("the data is not compressed by zstd")
	case b[4]&(1<<3) != 0:
		return errors.New("the compressed data is of an unknown kind")
	case b[4]&3 != 0:
		return errors.New("the compressed data needs a dictionary")
	}
	return nil
}

// headerSize is how many bytes of a frame's header follow its descriptor, which
// names no dictionary.
func headerSize(descriptor byte) int {
	size := sizeOfSize(descriptor)
	if descriptor&(1<<5) == 0 {
		size++ // the window
	}
	return size
}

// sizeOfSize is how many bytes say how much the frame holds.
func sizeOfSize(descriptor byte) int {
	switch descriptor >> 6 {
	case 0:
		return int(descriptor >> 5 & 1)
	case 1:
		return 2
	case 2:
		return 4
	}
	return 8
}

// window is how large a window a header asks for.
func window(descriptor byte, rest []byte) uint64 {
	if descriptor&(1<<5) == 0 {
		base := uint64(1) << (10 + rest[0]>>3)
		return base + base/8*uint64(rest[0]&7)
	}
	var b [8]byte // all of it is one window
	copy(b[:], rest)
	n := binary.LittleEndian.Uint64(b[:])
	if sizeOfSize(descriptor) == 2 {
		n += 256
	}
	return n
}
