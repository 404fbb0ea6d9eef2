package prune

import (
	"strings"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/retention"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
)

// A run with the rule free destroys what the other rules do not keep if the
// pool is short, and nothing if it is not, or if ZFS does not say.
func TestSpace(t *testing.T) {
	for _, c := range []struct{ about, below, shell, left, unknown string }{
		{"short", "1T", "", "s5 s6", ""},
		{"space", "1M", "", "s1 s2 s3 s4 s5 s6", ""},
		{"unknown", "1T", `case "$*" in *available*) echo "cannot open 'p': I/O error" >&2; exit 1;; esac`, "s1 s2 s3 s4 s5 s6",
			`cannot find out the free space of pool "p", and destroy nothing there: `},
	} {
		t.Run(c.about, func(t *testing.T) {
			rule, err := retention.ParseFree(c.below)
			if err != nil {
				t.Fatal(err)
			}
			p := newPruning(t, rule)
			before := p.Snapshots()
			p.result, p.err = Run(t.Context(), &zfs.ZFS{Path: p.ZFS(c.shell)}, p.o)
			if p.err != nil {
				t.Error(p.err)
			}
			if unknown := p.result.SpaceUnknown; (unknown != nil) != (c.unknown != "") || unknown != nil && !strings.HasPrefix(unknown.Error(), c.unknown) {
				t.Errorf("%v", unknown)
			}
			p.there(c.left, c.left)
			if n := len(before) - len(p.Snapshots()); n != p.result.Destroyed {
				t.Errorf("%d went, %d counted", n, p.result.Destroyed)
			}
			for _, command := range p.Commands() {
				if strings.Contains(command, "available") && !strings.HasSuffix(command, " p") {
					t.Errorf("asked for more than the pool: %s", command)
				}
			}
		})
	}
}

// A quota counts, also one above the dataset: what it leaves is all that is free.
func TestSpaceBelowQuota(t *testing.T) {
	s := Spaces{"p": {Free: 1000, Total: 4000, Available: map[string]uint64{"p": 1000, "p/q/a": 30}}, "dead": nil}
	for ds, want := range map[string]uint64{"p": 1000, "p/q/a": 30, "p/new": 1000} {
		if got := s.Of(ds); got == nil || got.Free != want || got.Total != 4000 {
			t.Errorf("%s: %+v", ds, got)
		}
	}
	if s.Of("dead/a") != nil || s.Of("other") != nil {
		t.Error("a space that is not known")
	}
}

// Without the rule, ZFS is not asked for the space.
func TestSpaceNotAsked(t *testing.T) {
	p := newPruning(t)
	p.Commands()
	p.prune()
	for _, command := range p.Commands() {
		if strings.Contains(command, "available") {
			t.Errorf("%s", command)
		}
	}
	p.there("s5 s6", "s5 s6")
}
