package endpoint

import (
	"strings"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// copies makes datasets that look like copies of the job.
func (e *ends) copies(names ...string) {
	for _, ds := range names {
		e.Must("zfs", "create", "-o", "readonly=on", "-o", "canmount=noauto", "-o", SendProperty+"=L", ds)
		e.Must("zfs", "snapshot", ds+"@s1")
		e.Must("zfs", "hold", e.r.Tag, ds+"@s1")
	}
}

// What was set aside and has no new copy yet takes the room of that.
func TestAsideLimits(t *testing.T) {
	e := newEnds(t)
	e.r.Asides = []string{"unrelated"}
	e.Must("zfs", "create", "-p", "b/back/a")
	e.copies("b/back/a/x", "b/back/a/x/k", "b/back/a/y", "b/back/a/y/k")
	if err := e.r.count(t.Context()); err != nil {
		t.Fatal(err)
	}
	there := e.r.census.datasets
	aside := func(ds string) error {
		_, err := e.r.SetAside(t.Context(), transfer.Aside{Copy: e.snap(ds + "@s1"), Reason: "unrelated"})
		return err
	}
	e.r.Limits = Limits{Datasets: there + 3}
	if err := aside("b/back/a/x"); err != nil {
		t.Fatal(err)
	}
	for _, begun := range []string{"", "b/back/a/x", "b/back/a/x/k"} {
		if begun != "" {
			e.copies(begun)
		}
		err := aside("b/back/a/y")
		if err == nil || !strings.Contains(err.Error(), "limits: datasets") || strings.Contains(err.Error(), "are to come") != (begun != "b/back/a/x/k") {
			t.Errorf("after %q: %v", begun, err)
		}
	}
	e.r.Limits.Datasets++
	if err := aside("b/back/a/y"); err != nil {
		t.Error(err)
	}
}
