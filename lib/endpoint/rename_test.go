package endpoint

import (
	"errors"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// A copy gets another name only where the configuration lets it, only below the
// root, and only if it is still a copy that has the job's hold.
func TestRename(t *testing.T) {
	e := newEnds(t)
	e.fill()
	e.moved(e.ways()["local"], "", "a/x@s1")
	for _, name := range []string{"b/other", "b/back/mine", "b/back/a/x/in"} {
		e.Must("zfs", "create", name)
	}
	e.Must("zfs", "snapshot", "b/back/mine@s1")
	ctx := t.Context()
	copied := e.snap("b/back/a/x@s1")
	before := e.all()
	_, sink := e.remote()
	if err := e.r.Rename(ctx, transfer.Rename{From: copied, To: "b/back/a/y"}); err == nil {
		t.Error("renamed, and the configuration does not allow it")
	}
	e.r.Renames = func(string) error { return nil }
	for name, in := range map[string]transfer.Rename{
		"not held":         {From: copied, To: "b/back/a/y"},
		"what is below it": {From: copied, To: "b/back/a/y"}, // b/back/a/x/in is no copy
		"out of the root":  {From: copied, To: "b/other/x"},
		"to the root":      {From: copied, To: "b/back"},
		"below itself":     {From: copied, To: "b/back/a/x/y"},
		"above itself":     {From: copied, To: "b/back/a"},
		"onto another":     {From: copied, To: "b/back/mine"},
		"another pool":     {From: copied, To: "a/y"},
		"a flag":           {From: copied, To: "-f"},
		"a snapshot":       {From: copied, To: "b/back/a/x@s2"},
		"no snapshot":      {From: transfer.Snap{Dataset: "b/back/a/x", Name: "", GUID: copied.GUID}, To: "b/back/a/y"},
		"no copy":          {From: e.snap("b/back/mine@s1"), To: "b/back/a/y"},
		"not the root's":   {From: transfer.Snap{Dataset: "b/other", Name: "s1", GUID: 1}, To: "b/back/a/y"},
		"the root itself":  {From: transfer.Snap{Dataset: "b/back", Name: "s1", GUID: 1}, To: "b/back/a/y"},
	} {
		if err := e.r.Rename(ctx, in); err == nil {
			t.Errorf("%s: renamed here", name)
		}
		if err := sink.Rename(ctx, in); err == nil {
			t.Errorf("%s: renamed there", name)
		}
	}
	if after := e.all(); after != before {
		t.Errorf("something was changed:\n%s\n%s", before, after)
	}
	e.Must("zfs", "destroy", "b/back/a/x/in")
	if err := sink.Rename(ctx, transfer.Rename{From: copied, To: "b/back/a/y"}); err == nil {
		t.Error("renamed, and nothing holds it")
	}
	if bad, err := e.r.Protect(ctx, transfer.Holds{Hold: []transfer.Snap{copied}}); err != nil || len(bad) > 0 {
		t.Fatal(bad, err)
	}
	wrong := copied
	wrong.GUID++
	if err := sink.Rename(ctx, transfer.Rename{From: wrong, To: "b/back/a/y"}); err == nil {
		t.Error("renamed, and its snapshot has another guid")
	}
	e.r.Renames = func(string) error { return errors.New("it is another job's") }
	if err := sink.Rename(ctx, transfer.Rename{From: copied, To: "b/back/a/y"}); err == nil {
		t.Error("renamed, though it is another job's")
	}
	e.r.Renames = func(string) error { return nil }
	if err := sink.Rename(ctx, transfer.Rename{From: copied, To: "b/back/a/y"}); err != nil {
		t.Error(err)
	}
	if now := e.snap("b/back/a/y@s1"); now.GUID != copied.GUID {
		t.Errorf("guid %s, and before %s", now.GUID, copied.GUID)
	}
}
