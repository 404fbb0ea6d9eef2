package peek

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
)

// sameContents compares what is no hole in both: a file of nothing but a hole can be of
// 8 EiB, and costs its owner nothing.
func sameContents(ctx context.Context, a, b *os.File, size int64, read func(at int64)) (bool, error) {
	pa, pb := make([]byte, 128<<10), make([]byte, 128<<10)
	for at := int64(0); at < size; {
		from, to := eitherData(a, b, at, size)
		for at = from; at < to; {
			n := min(int64(len(pa)), to-at)
			na, errA := a.ReadAt(pa[:n], at)
			nb, errB := b.ReadAt(pb[:n], at)
			if err := errors.Join(ended(errA), ended(errB)); err != nil {
				return false, fmt.Errorf("cannot read: %w", err)
			}
			if na != nb || !bytes.Equal(pa[:na], pb[:nb]) {
				return false, nil
			}
			if int64(na) < n {
				return false, errChanges
			}
			if ctx.Err() != nil {
				return false, ctx.Err()
			}
			if at += n; read != nil {
				read(at)
			}
		}
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
	}
	return true, nil
}

// eitherData is the next stretch of which the beginning is data in one of two files.
func eitherData(a, b *os.File, at, size int64) (from, to int64) {
	fromA, toA := nextData(a, at, size)
	fromB, toB := nextData(b, at, size)
	switch {
	case fromA == fromB:
		return fromA, min(toA, toB)
	case fromA < fromB:
		return fromA, min(toA, fromB)
	}
	return fromB, min(toB, fromA)
}
