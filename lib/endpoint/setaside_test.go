package endpoint

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// A copy is set aside only where the configuration lets it, only below the root,
// and only if it is still a copy that has the job's hold; and only once.
func TestSetAside(t *testing.T) {
	e := newEnds(t)
	e.fill()
	e.moved(e.ways()["local"], "", "a/x@s1")
	for _, name := range []string{"b/other", "b/back/mine"} {
		e.Must("zfs", "create", name)
	}
	e.Must("zfs", "snapshot", "b/back/mine@s1")
	ctx := t.Context()
	copied := e.snap("b/back/a/x@s1")
	ask := transfer.Aside{Copy: copied, Reason: "diverged"}
	before := e.all()
	_, sink := e.remote()
	if _, err := e.r.SetAside(ctx, ask); err == nil {
		t.Error("set aside, and the configuration does not allow it")
	}
	e.r.Asides = []string{"diverged", "options"}
	for name, in := range map[string]transfer.Aside{
		"not held":        ask,
		"another reason":  {Copy: copied, Reason: "modified"},
		"no such reason":  {Copy: copied, Reason: "options"},
		"a path":          {Copy: copied, Reason: "diverged-1/../x"},
		"no reason":       {Copy: copied},
		"no copy":         {Copy: e.snap("b/back/mine@s1"), Reason: "diverged"},
		"not there":       {Copy: transfer.Snap{Dataset: "b/back/none", Name: "s1", GUID: 1}, Reason: "diverged"},
		"not the root's":  {Copy: transfer.Snap{Dataset: "b/other", Name: "s1", GUID: 1}, Reason: "diverged"},
		"the root itself": {Copy: transfer.Snap{Dataset: "b/back", Name: "s1", GUID: 1}, Reason: "diverged"},
		"a pool":          {Copy: transfer.Snap{Dataset: "b", Name: "s1", GUID: 1}, Reason: "diverged"},
		"a flag":          {Copy: transfer.Snap{Dataset: "-f", Name: "s1", GUID: 1}, Reason: "diverged"},
		"no snapshot":     {Copy: transfer.Snap{Dataset: copied.Dataset, GUID: copied.GUID}, Reason: "diverged"},
		"another guid":    {Copy: transfer.Snap{Dataset: copied.Dataset, Name: "s1", GUID: copied.GUID + 1}, Reason: "diverged"},
	} {
		if _, err := e.r.SetAside(ctx, in); err == nil {
			t.Errorf("%s: set aside here", name)
		}
		if _, err := sink.SetAside(ctx, in); err == nil {
			t.Errorf("%s: set aside there", name)
		}
	}
	if bad, err := e.r.Protect(ctx, transfer.Holds{Hold: []transfer.Snap{copied}}); err != nil || len(bad) > 0 {
		t.Fatal(bad, err)
	}
	e.r.Shared = func(string) error { return errors.New("it is another job's") }
	if _, err := sink.SetAside(ctx, ask); err == nil {
		t.Error("set aside, though it is another job's")
	}
	e.r.Shared, e.r.Limits = nil, Limits{Datasets: 3}
	if _, err := sink.SetAside(ctx, ask); err == nil || !strings.Contains(err.Error(), "limits: datasets") {
		t.Errorf("more than the limit allows: %v", err)
	}
	e.r.Limits = Limits{}
	if after := e.all(); after != before && strings.Contains(after, "diverged") {
		t.Errorf("something was changed:\n%s\n%s", before, after)
	}
	got, err := sink.SetAside(ctx, ask)
	if of, ok := dataset.AsideOf(got.Dataset); err != nil || !ok || of != copied.Dataset {
		t.Fatalf("%q: %v", got.Dataset, err)
	}
	if now := e.snap(got.Dataset + "@s1"); now.GUID != copied.GUID {
		t.Errorf("guid %s, and before %s", now.GUID, copied.GUID)
	}
	list, err := sink.List(ctx, transfer.ListRequest{Thorough: true})
	at := slices.IndexFunc(list, func(d transfer.Dataset) bool { return d.Name == got.Dataset })
	if err != nil || at < 0 || list[at].Aside != copied.Dataset || len(list[at].Versions) > 0 || list[at].Copy {
		t.Errorf("%+v: %v", list, err)
	}
	e.r.Renames = func(string) error { return nil }
	if err := sink.Rename(ctx, transfer.Rename{From: transfer.Snap{Dataset: got.Dataset, Name: "s1", GUID: copied.GUID}, To: "b/back/a/z"}); err == nil || !strings.Contains(err.Error(), "was set aside") {
		t.Errorf("renamed what was set aside: %v", err)
	}
	e.moved(e.ways()["local"], "", "a/x@s1")
	if bad, err := e.r.Protect(ctx, transfer.Holds{Hold: []transfer.Snap{copied}}); err != nil || len(bad) > 0 {
		t.Fatal(bad, err)
	}
	if _, err := sink.SetAside(ctx, ask); err == nil || !strings.Contains(err.Error(), "was set aside before and is still there") {
		t.Errorf("a second one: %v", err)
	}
	e.Must("zfs", "destroy", "-r", got.Dataset)
	e.Must("zfs", "create", got.Dataset) // somebody else's of that name
	again, err := sink.SetAside(ctx, ask)
	if err != nil || again.Dataset != got.Dataset+"-2" {
		t.Errorf("%q: %v", again.Dataset, err)
	}
}
