package dataset_test

import (
	"slices"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
)

func TestAside(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		n    int
		want string
	}{{1, "b/x.diverged-20261201"}, {2, "b/x.diverged-20261201-2"}, {99, "b/x.diverged-20261201-99"}} {
		name := dataset.Aside("b/x", "diverged", "20261201", c.n)
		if name != c.want {
			t.Errorf("%q", name)
		}
		if of, ok := dataset.AsideOf(name); !ok || of != "b/x" {
			t.Errorf("%q: %q %v", name, of, ok)
		}
	}
	for name, want := range map[string]string{
		"b/x":                                           "",
		"x.diverged-20261201":                           "", // a pool
		"b/.diverged-20261201":                          "",
		"b/x.diverged-2026120":                          "",
		"b/x.rolled-20261201":                           "",
		"b/x.diverged-20261201/y":                       "",
		"b/x.modified-20261201-100":                     "",
		"b/c/x.unrelated-20261201":                      "b/c/x",
		"b/x.diverged-20251201.diverged-20261201":       "b/x.diverged-20251201",
		"b/x.y.modified-20261201-7":                     "b/x.y",
		"b.diverged-20261201/x.y.modified-20261201-007": "",
	} {
		if of, ok := dataset.AsideOf(name); of != want || ok != (want != "") {
			t.Errorf("%q: %q %v", name, of, ok)
		}
	}
	got := dataset.AsideAbove("p/a.diverged-20261201/b/c.modified-20261201-2/d")
	if want := []string{"p/a.diverged-20261201/b/c.modified-20261201-2", "p/a.diverged-20261201"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}
