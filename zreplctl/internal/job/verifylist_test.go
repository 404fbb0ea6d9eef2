package job

import (
	"slices"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/replicate"
	"github.com/zrepl-tools/zrepl-tools/lib/verify"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
)

// TestVerifyNamesAll: of several datasets that can have no copy, each is named.
func TestVerifyNamesAll(t *testing.T) {
	var got []string
	v := &Verify{Run: &Run{Global: config.Global{StateDir: t.TempDir()}, Job: &config.Job{Name: "a"}},
		Each: func(r verify.Result) error {
			got = append(got, r.Source+": "+r.Why)
			return nil
		}}
	copies := replicate.Copies{Pairs: []replicate.Pair{{Source: "p/a", Why: "no", Wrong: true}, {Source: "p/b", Why: "too long", Wrong: true}}}
	if err := v.compare(t.Context(), verify.Ends{}, copies); err != nil || !slices.Equal(got, []string{"p/a: no", "p/b: too long"}) {
		t.Errorf("%q, %v", got, err)
	}
}
