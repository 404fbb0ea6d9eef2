package job

import (
	"errors"
	"fmt"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
)

// TestHealthOverflow: a list of datasets that has left one out is not whole,
// and what was before is not looked for at each connection.
func TestHealthOverflow(t *testing.T) {
	t.Parallel()
	dir := state.In(t.TempDir() + "/state")
	asked := 0
	visit := func(from, to int, before error) {
		t.Helper()
		v := newVisit()
		v.hello()
		for i := from; i < to; i++ {
			v.doing("send", fmt.Sprintf("a/%d", i))
		}
		if err := v.note(dir, "me", nil, func() ([]string, error) { asked++; return nil, before }); err != nil {
			t.Fatal(err)
		}
	}
	known := func(what string, want bool) {
		t.Helper()
		if _, got := ReadCovered(dir, "me"); got != want {
			t.Errorf("%s: known is %v", what, got)
		}
	}
	visit(0, 3, errors.New("zfs failed"))
	known("what was before could not be asked", false)
	visit(0, maxCovered, nil)
	known("as many as are kept", true)
	visit(0, 5, nil)
	known("none is new", true)
	visit(maxCovered, maxCovered+1, nil)
	known("one was left out", false)
	visit(0, 5, nil)
	known("one was left out before", false)
	if asked != 2 {
		t.Errorf("asked %d times", asked)
	}
}

// TestHealthOverflowAtOnce is the same with one connection.
func TestHealthOverflowAtOnce(t *testing.T) {
	t.Parallel()
	dir := state.In(t.TempDir() + "/state")
	v := newVisit()
	v.hello()
	for i := range maxCovered + 1 {
		v.doing("send", fmt.Sprintf("a/%d", i))
	}
	if err := v.note(dir, "me", nil, func() ([]string, error) { return nil, nil }); err != nil {
		t.Fatal(err)
	}
	if _, known := ReadCovered(dir, "me"); known {
		t.Error("the list is said to be whole")
	}
}
