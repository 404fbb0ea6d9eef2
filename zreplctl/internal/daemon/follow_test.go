package daemon

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/control"
)

// TestFollowAll has a run say more at once than anybody reads meanwhile. All of
// it is told, or how much is not.
func TestFollowAll(t *testing.T) {
	for _, c := range []struct{ lines, length int }{{2500, 10}, {20_000, 1000}} {
		f := newFollowed(control.Request{})
		for i := range c.lines { // as a prune does
			f.add(control.Event{Stdout: fmt.Sprintf("%0*d\n", c.length, i)})
		}
		status := 0
		f.add(control.Event{Exit: &status})
		got, missing, exits := 0, 0, 0
		for e := range f.events(context.Background()) {
			switch {
			case e.Stdout != "":
				got++
			case e.Exit != nil:
				exits++
			case strings.Contains(e.Stderr, "are missing here"):
				fmt.Sscanf(e.Stderr, "zreplctl: %d", &missing)
			}
		}
		if got+missing != c.lines || exits != 1 || missing > 0 != (c.lines*c.length > maxKept) {
			t.Errorf("%d lines: %d came, %d are said to be missing, %d exits", c.lines, got, missing, exits)
		}
	}
}

func TestSameFile(t *testing.T) {
	t.Chdir(t.TempDir())
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "b"} {
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	os.Symlink("a", "l")
	full := func(name string) string { return filepath.Join(dir, name) }
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{full("a"), "a", true}, {full("l"), "a", true}, {full("a"), full("b"), false}, {full("gone"), "gone", true}, {"", "a", false},
	} {
		if got := sameFile(c.a, c.b); got != c.want {
			t.Errorf("%q and %q: %v", c.a, c.b, got)
		}
	}
}

// TestOtherConfig: a job of the same name in another configuration is not the
// daemon's.
func TestOtherConfig(t *testing.T) {
	t.Parallel()
	c, _ := start(t, "good")
	other := filepath.Join(t.TempDir(), "other.yml")
	if err := os.WriteFile(other, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{c.Path: true, other: false, "": false} {
		var stdout strings.Builder
		_, handled, err := control.RunJob(t.Context(), c.Global.Control, control.Request{Job: "good", Config: path},
			control.Follower{Stdout: &stdout, Stderr: discardText{}})
		if handled != want || err != nil || (stdout.String() != "") != want {
			t.Errorf("%q: %v, %v, %q", path, handled, err, stdout.String())
		}
	}
}
