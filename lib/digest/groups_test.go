package digest

import (
	"slices"
	"testing"
)

// Two ends find the objects that differ: changed, missing and added ones.
func TestGroups(t *testing.T) {
	objects := func(change func(n uint64, o *Object) bool) []byte {
		var g Groups
		for n := range uint64(100_000) {
			o := Object{Number: n, Sum: Sum{byte(n), byte(n >> 8), byte(n >> 16), 1}}
			if change(n, &o) {
				g.Add(o)
			}
		}
		return g.Bytes()
	}
	all := objects(func(uint64, *Object) bool { return true })
	other := objects(func(n uint64, o *Object) bool {
		if n == 31 {
			o.Sum[7]++
		}
		return n != 33 && n != 70_000
	})
	want := []int{0, 1, 70_000 / 32 % GroupCount}
	if got := DifferentGroups(all, other, GroupCount); !slices.Equal(got, want) {
		t.Errorf("%v, not %v", got, want)
	}
	if got := DifferentGroups(all, other, 2); !slices.Equal(got, want[:2]) {
		t.Errorf("%v, not %v", got, want[:2])
	}
	if got := DifferentGroups(all, all, 2); got != nil {
		t.Errorf("%v of what is equal", got)
	}
	if got := DifferentGroups(all, other[1:], 2); got != nil {
		t.Errorf("%v of what is no sum", got)
	}
}
