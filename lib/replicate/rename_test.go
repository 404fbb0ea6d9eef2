package replicate

import (
	"fmt"
	"slices"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/plan"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// TestBelow: what stands below a dataset is what its name says, whatever names sort
// between.
func TestBelow(t *testing.T) {
	v := &view{targets: map[string]transfer.Dataset{}}
	names := []string{"p", "p/a", "p/a/x", "p/a/x/y", "p/a-b", "p/a-b/x", "p/a.b", "p/a0", "p/a:c/d", "p/b", "q"}
	for _, name := range names {
		v.targets[name] = transfer.Dataset{Name: name}
	}
	order := v.inOrder()
	for _, name := range names {
		var want []string
		for _, other := range names {
			if other != name && dataset.Within(other, name) {
				want = append(want, other)
			}
		}
		got := slices.Sorted(slices.Values(order.below(name)))
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, not %q", name, got, want)
		}
	}
}

// TestRenamesCost: many datasets that were renamed at once are looked at in time
// that grows with their number, not with its square: that would take minutes.
func TestRenamesCost(t *testing.T) {
	const n = 20_000
	v := &view{sources: map[string]transfer.Dataset{}, targets: map[string]transfer.Dataset{}}
	j := &Job{Covered: map[string]string{}}
	results := make([]plan.Result, 0, n)
	for i := range n {
		s := dataset.Version{Kind: dataset.Snapshot, Name: "s1", GUID: dataset.GUID(i + 1), CreateTXG: uint64(i + 1)}
		was, now, copied := fmt.Sprintf("a/x/%d", i), fmt.Sprintf("a/y/%d", i), fmt.Sprintf("p/x/%d", i)
		v.sources[now] = transfer.Dataset{Name: now, Versions: []dataset.Version{s}}
		v.targets[copied] = transfer.Dataset{Name: copied, Versions: []dataset.Version{s}, Copy: true}
		in := plan.Input{Source: now, Target: fmt.Sprintf("p/y/%d", i), Sender: []dataset.Version{s}}
		v.inputs = append(v.inputs, in)
		results = append(results, plan.Result{Source: now, Target: in.Target})
		j.Covered[copied] = was
	}
	r := &round{Job: j, view: v, results: results}
	lost := j.lost(v, results)
	all := r.together(unique(j.renames(v, lost)), lost)
	if len(all) != n {
		t.Fatalf("%d renames, not %d", len(all), n)
	}
	r.renaming = all
	done := map[string]string{}
	for _, m := range all {
		done[m.from] = m.result.Target
	}
	written := 0
	j.Cover = func(fresh map[string]string, stale []string) { written += len(fresh) + len(stale) }
	r.noteRenamed(done)
	if written != 2*n {
		t.Errorf("%d names were written, not %d", written, 2*n)
	}
}
