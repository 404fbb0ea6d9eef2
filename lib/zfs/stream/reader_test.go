package stream

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
)

// summed writes records as zfs send does, with checksums, or as old versions
// did: with one at the end alone.
func summed(order binary.ByteOrder, old bool, records ...[]byte) []byte {
	var out []byte
	var sum checksum
	put := func(p []byte) {
		for i, v := range sum {
			order.PutUint64(p[8*i:], v)
		}
	}
	for i, r := range records {
		r = slices.Clone(r)
		if i > 0 && order.Uint32(r) == recordEnd {
			put(r[endSumAt:])
		}
		sum.add(r[:sumAt], order)
		if i > 0 && !old {
			put(r[sumAt:])
		}
		sum.add(r[sumAt:], order)
		out = append(out, r...)
	}
	return out
}

func readAll(in []byte) (kinds []Kind, data int, err error) {
	r, err := NewReader(bytes.NewReader(in))
	if err != nil {
		return nil, 0, err
	}
	for {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			return kinds, data, nil
		}
		if err != nil {
			return kinds, data, err
		}
		kinds = append(kinds, rec.Kind)
		if rec.Kind == Free {
			continue
		}
		for rec.Payload > 0 { // of some records not all
			p, err := r.Data()
			if err != nil {
				return kinds, data, err
			}
			data += len(p)
			if p == nil || len(kinds)%2 == 0 {
				break
			}
		}
	}
}

func TestReader(t *testing.T) {
	for _, o := range orders {
		begin := beginRec(o, headerPlain|featureRaw<<2, 4, 0, "p/a@4", make([]byte, 48))
		object := rec(o, recordObject, 24, func(b []byte) { o.PutUint32(b[28:], 17) })
		write := rec(o, recordWrite, 300<<10, func(b []byte) { o.PutUint64(b[32:], 300<<10); b[recordSize+5] = 7 })
		free := rec(o, recordFree, 0, nil)
		for _, old := range []bool{false, true} {
			s := summed(o, old, begin, object, write, write, free, endRec(o, 4))
			kinds, data, err := readAll(s)
			if want := []Kind{Object, Write, Write, Free}; err != nil || !slices.Equal(kinds, want) || data != 24+MaxData+300<<10 {
				t.Errorf("%v, %d, %v", kinds, data, err)
			}
			s[len(s)-2000] ^= 1
			if _, _, err := readAll(s); !errors.Is(err, errSum) {
				t.Errorf("damaged: %v", err)
			}
			if _, _, err := readAll(s[:len(s)-1]); !errors.Is(err, errCut) && !errors.Is(err, errSum) {
				t.Errorf("cut: %v", err)
			}
		}
		s := summed(o, false, begin, object, write, endRec(o, 4))
		for _, n := range []int{1, 311, 312, 359, 360, len(s) - 1, len(s) - recordSize, len(s) - recordSize - 1} {
			if _, _, err := readAll(s[:n]); !errors.Is(err, errCut) {
				t.Errorf("%d bytes: %v", n, err)
			}
		}
		if _, _, err := readAll(append(s, 0)); !errors.Is(err, errBehind) {
			t.Error(err)
		}
		large := beginRec(o, headerPlain, 4, 0, "p/a@4", make([]byte, maxPayload+8))
		if _, _, err := readAll(summed(o, false, large, endRec(o, 4))); err == nil || !strings.Contains(err.Error(), "at most") {
			t.Error(err)
		}
		if _, _, err := readAll(summed(o, false, begin, begin, endRec(o, 4))); !errors.Is(err, errDisorder) {
			t.Error(err)
		}
	}
}
