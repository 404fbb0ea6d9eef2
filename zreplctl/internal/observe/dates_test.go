package observe

import (
	"maps"
	"slices"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
)

// TestRecall: a note counts only for the very version that the list has, by name,
// guid and createtxg, with the same snapshot before it.
func TestRecall(t *testing.T) {
	of := &history{}
	of.add(dataset.Version{Kind: dataset.Snapshot, Name: "r", GUID: 6, CreateTXG: 30})
	of.add(dataset.Version{Kind: dataset.Snapshot, Name: "s", GUID: 7, CreateTXG: 40})
	for name, c := range map[string]struct {
		noted map[string]date
		known bool
	}{
		"the same":               {map[string]date{"p/a@s": {7, 40, 30, 1000, 512}}, true},
		"another guid":           {map[string]date{"p/a@s": {8, 40, 30, 1000, 512}}, false},
		"a guid of another time": {map[string]date{"p/a@s": {7, 41, 30, 1000, 512}}, false},
		"another before":         {map[string]date{"p/a@s": {7, 40, 0, 1000, 512}}, false},
		"another dataset":        {map[string]date{"p/b@s": {7, 40, 30, 1000, 512}}, false},
		"a bookmark":             {map[string]date{"p/a#s": {7, 40, 30, 1000, 512}}, false},
		"nothing":                {nil, false},
	} {
		h := &host{datasets: map[string]*history{"p/a": of}, made: map[string]made{}, noted: c.noted}
		rest := h.recall([]string{"p/a@s"})
		m, ok := h.made["p/a@s"]
		if ok != c.known || (len(rest) == 0) != c.known || (ok && m != made{7, 1000, 512}) {
			t.Errorf("%s: %v is known, and %q is asked for", name, m, rest)
		}
	}
}

// TestDatesDamaged: a note that is not whole says nothing.
func TestDatesDamaged(t *testing.T) {
	all := map[string]date{"p/a@s": {7, 40, 30, 1000, 512}, "p/b#s b": {1<<64 - 1, 1, 0, -5, 1<<64 - 1}}
	text := formatDates(all)
	if got := parseDates(text); !maps.Equal(got, all) {
		t.Fatalf("%v", got)
	}
	for cut := range len(text) {
		if got := parseDates(text[:cut]); got != nil {
			t.Errorf("cut at %d: %v", cut, got)
		}
	}
	for _, bad := range []string{"p/a@s\t7\t40\t30\t512\nend\n", "p/a@s\t7\t-1\t0\t0\t5\nend\n", "p/a@s\t7\t40\t1000\nend\n", "p/a@s\t7\t40\t30\t512\t5\t6\nend\n", "x\nend\n"} {
		if got := parseDates(slices.Clone([]byte(bad))); got != nil {
			t.Errorf("%q: %v", bad, got)
		}
	}
}
