package frame

import (
	"fmt"
	"hash/crc32"
	"testing"

	"golang.org/x/sys/unix"
)

// BenchmarkSum takes apart what a checksum costs where data is moved by
// splice(2): the sum alone, the duplicate and its copy to us, and all together.
// A splice hands pages on and touches no byte; a sum must. On one machine, for
// each MiB and at each end: 43 µs for the sum, 18 for the duplicate, 45 for the
// copy, where the whole bare pair of splices takes 180.
func BenchmarkSum(b *testing.B) {
	const n = 1<<20 - 2*4096
	data, dup := newFullPipe(b, n), newFullPipe(b, 0)
	null, err := unix.Open("/dev/null", unix.O_WRONLY, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer unix.Close(null)
	bench := func(name string, work func() error) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(n)
			for b.Loop() {
				if err := work(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	duplicate := func() error {
		if got, err := tee(data.r, dup.w, n); got != n {
			return fmt.Errorf("%d bytes: %w", got, err)
		}
		return nil
	}
	bench("duplicate", func() error {
		if err := duplicate(); err != nil {
			return err
		}
		_, err := splice(dup.r, null, n)
		return err
	})
	for _, size := range []int{32 << 10, readPiece, 512 << 10} {
		piece := make([]byte, size)
		each := func(do func(piece []byte) error) (err error) {
			for left := n; left > 0 && err == nil; left -= len(piece) {
				err = do(piece[:min(left, size)])
			}
			return err
		}
		bench(fmt.Sprintf("sum/%dK", size>>10), func() error {
			return each(func(p []byte) error { crc32.Update(0, castagnoli, p); return nil })
		})
		bench(fmt.Sprintf("copy/%dK", size>>10), func() error {
			if err := duplicate(); err != nil {
				return err
			}
			return each(dup.read)
		})
		bench(fmt.Sprintf("all/%dK", size>>10), func() error {
			if err := duplicate(); err != nil {
				return err
			}
			_, err := dup.sum(0, n, piece)
			return err
		})
	}
}

// newFullPipe is a pipe with n bytes in it.
func newFullPipe(b *testing.B, n int) *pipe {
	p, err := newPipe()
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(p.close)
	for left := n; left > 0; {
		got, err := unix.Write(p.w, make([]byte, left))
		if err != nil {
			b.Fatal(err)
		}
		left -= got
	}
	return p
}
