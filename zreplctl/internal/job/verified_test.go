package job

import (
	"fmt"
	"slices"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/plan"
	"github.com/zrepl-tools/zrepl-tools/lib/replicate"
	"github.com/zrepl-tools/zrepl-tools/lib/verify"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
)

// copyOf is a copy with some snapshots, the newest first.
func copyOf(guids ...dataset.GUID) replicate.Pair {
	p := replicate.Pair{Source: "a", Target: "b"}
	for _, g := range guids {
		v := dataset.Version{Kind: dataset.Snapshot, Name: fmt.Sprint("s", g), GUID: g, CreateTXG: uint64(g)}
		p.Common = append(p.Common, plan.Base{Sender: v, Receiver: v})
	}
	return p
}

func result(g dataset.GUID, o verify.Outcome) verify.Result {
	return verify.Result{Snapshot: fmt.Sprint("s", g), GUID: g, TXG: uint64(g), Outcome: o, Unread: o == verify.Cannot}
}

// Each snapshot that differs stays on record until that one was found to be the
// same, or is gone.
func TestFoundDiffering(t *testing.T) {
	const same, differs, cannot = verify.Same, verify.Differs, verify.Cannot
	var one state.Verification
	for _, step := range []struct {
		there   replicate.Pair
		all     []verify.Result
		differ  []dataset.GUID
		at      int64
		failed  bool
		because string
	}{
		{copyOf(3, 2, 1), []verify.Result{result(3, same), result(2, differs), result(1, differs)}, []dataset.GUID{2, 1}, 1, false, "two differ"},
		{copyOf(4, 3, 1), []verify.Result{result(4, same)}, []dataset.GUID{1}, 2, false, "one was pruned"},
		{copyOf(5, 4, 3, 1), []verify.Result{result(5, cannot)}, []dataset.GUID{1}, 2, true, "unreadable"},
		{copyOf(5, 4, 3, 1), []verify.Result{{Outcome: verify.Skipped}}, []dataset.GUID{1}, 2, true, "skipped"},
		{copyOf(5, 4, 3, 1), []verify.Result{{Outcome: verify.Cannot}}, []dataset.GUID{1}, 2, true, "of other byte order"},
		{copyOf(5, 4, 3, 1), []verify.Result{result(5, cannot), result(4, same)}, []dataset.GUID{1}, 6, true, "still unreadable"},
		{copyOf(5, 4, 3, 1), []verify.Result{result(5, differs)}, []dataset.GUID{5, 1}, 7, false, "readable"},
		{copyOf(5, 4, 3, 1), []verify.Result{result(5, same), result(4, same), result(3, same)}, []dataset.GUID{1}, 8, false, "one was mended"},
		{copyOf(5, 4, 3, 1), []verify.Result{result(1, same)}, nil, 9, false, "the other one, too"},
	} {
		n := int64(step.at)
		if step.failed && step.because != "still unreadable" {
			n = 100
		}
		one = found(one, step.there, step.all, n)
		var differ []dataset.GUID
		for _, d := range one.Differing {
			differ = append(differ, d.GUID)
		}
		if !slices.Equal(differ, step.differ) || one.At != step.at || one.Failed > 0 != step.failed || (one.Why != "") != step.failed {
			t.Errorf("%s: %+v", step.because, one)
		}
	}
	if other := copyOf(5); replaced(one, other) {
		t.Error("the same copy was replaced")
	} else if other.Common[0].Receiver.CreateTXG = 77; !replaced(one, other) {
		t.Error("another copy was not")
	}
}

// A sample takes what was looked at longest ago. New datasets get half of the
// places at most, and a time in the future is none.
func TestSample(t *testing.T) {
	tried := map[string]int64{"new1": 0, "new2": 0, "new3": 0, "old1": 50, "old2": 40, "old3": 60, "future": 500}
	since := int64(70)
	taken := func(n int, names ...string) string {
		var all []replicate.Pair
		for _, name := range names {
			all = append(all, replicate.Pair{Target: name})
		}
		text := ""
		for _, p := range sample(all, n, func(target string) int64 { return tried[target] }, 100, since) {
			text += p.Target + " "
		}
		return text
	}
	for _, c := range []struct {
		n     int
		names []string
		want  string
	}{
		{2, []string{"old1", "old2", "old3"}, "old2 old1 "},
		{2, []string{"old1", "future", "old2"}, "future old2 "},
		{2, []string{"old1", "new1", "new2", "new3", "old2"}, "new1 old2 "},
		{4, []string{"old1", "new1", "new2", "new3", "old2"}, "new1 new2 old2 old1 "},
		{3, []string{"new1", "new2", "new3"}, "new1 new2 new3 "},
		{9, []string{"old1", "new1"}, "new1 old1 "},
	} {
		if got := taken(c.n, c.names...); got != c.want {
			t.Errorf("%d of %v: %s", c.n, c.names, got)
		}
	}
	since = 30
	if got := taken(2, "old1", "new1", "new2"); got != "new1 new2 " {
		t.Errorf("others do not wait: %s", got)
	}
	since = 70
	seen := map[string]bool{}
	for range 200 {
		seen[taken(1, "old1", "new1")] = true
	}
	if len(seen) != 2 {
		t.Errorf("of one place: %v", seen)
	}
}
