// Command zstd-sim is a zstd(1) for tests on machines without one: a filter with
// the flags that package pack uses. It writes the format of RFC 8878, and makes
// bytes fewer only where many in a row are the same. It reads nothing but
// such blocks.
package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

const (
	magic    = 0xFD2FB528
	maxBlock = 128 << 10
	window   = 0x38 // 128 KiB

	raw, repeated = 0, 1
)

func main() {
	filter := compress
	if slices.Contains(os.Args[1:], "-d") {
		filter = decompress
	}
	if err := filter(os.Stdout, os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, "zstd-sim:", err)
		os.Exit(1)
	}
}

func compress(out io.Writer, in io.Reader) error {
	head := append(binary.LittleEndian.AppendUint32(nil, magic), 0, window)
	block := make([]byte, maxBlock)
	for {
		n, err := io.ReadFull(in, block)
		last := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !last {
			return err
		}
		if _, err := out.Write(append(head, encode(block[:n], last)...)); err != nil || last {
			return err
		}
		head = nil
	}
}

// encode makes blocks: of bytes that are all the same, and of what is between.
func encode(b []byte, last bool) (out []byte) {
	for {
		n, kind := run(b), uint32(repeated)
		if n < leastRun {
			n, kind = apart(b), raw
		}
		header, body := uint32(n)<<3|kind<<1, b[:n]
		if kind == repeated {
			body = b[:1]
		}
		if b = b[n:]; last && len(b) == 0 {
			header |= 1
		}
		out = append(append(out, byte(header), byte(header>>8), byte(header>>16)), body...)
		if len(b) == 0 {
			return out
		}
	}
}

// leastRun is how many equal bytes are worth a block.
const leastRun = 64

// run is with how many equal bytes b begins.
func run(b []byte) int {
	for i := range b {
		if b[i] != b[0] {
			return i
		}
	}
	return len(b)
}

// apart is how many bytes come before the next run.
func apart(b []byte) int {
	for i := 0; i < len(b); i += run(b[i:]) {
		if i > 0 && run(b[i:]) >= leastRun {
			return i
		}
	}
	return len(b)
}

func decompress(out io.Writer, from io.Reader) error {
	in := bufio.NewReader(from)
	var head [6]byte
	if _, err := io.ReadFull(in, head[:]); err != nil {
		return err
	}
	if binary.LittleEndian.Uint32(head[:]) != magic || head[4] != 0 {
		return errors.New("unsupported format")
	}
	for {
		var h [4]byte
		if _, err := io.ReadFull(in, h[:3]); err != nil {
			return err
		}
		header := binary.LittleEndian.Uint32(h[:])
		body := make([]byte, header>>3)
		switch kind := header >> 1 & 3; kind {
		case raw:
			if _, err := io.ReadFull(in, body); err != nil {
				return err
			}
		case repeated:
			b, err := in.ReadByte()
			if err != nil {
				return err
			}
			body = bytes.Repeat([]byte{b}, len(body))
		default:
			return fmt.Errorf("a block of type %d", kind)
		}
		if _, err := out.Write(body); err != nil || header&1 != 0 {
			return err
		}
	}
}
