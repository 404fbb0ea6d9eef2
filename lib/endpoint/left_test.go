package endpoint

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/cursor"
	"github.com/zrepl-tools/zrepl-tools/lib/property"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// What protects datasets that have left the rules is found, released, and kept
// in its place by a bookmark.
func TestStrays(t *testing.T) {
	e := newEnds(t)
	e.Must("zfs", "snapshot", "-r", "a@s1")
	mark := "a/secret#" + cursor.Bookmark(e.s.Tag, 7)
	e.Must("zfs", "hold", e.s.Tag, "a/secret@s1", "a/x@s1")
	e.Must("zfs", "hold", "other", "a/secret@s1")
	e.Must("zfs", "bookmark", "a/secret@s1", mark)
	ctx := t.Context()
	remote, _ := e.remote()
	for name, c := range map[string]struct {
		in   transfer.StraysRequest
		want int
	}{"look": {transfer.StraysRequest{}, 2}, "look, but for bookmarks": {transfer.StraysRequest{Keep: true}, 1}} {
		out, err := e.s.Strays(ctx, c.in)
		if err != nil || out.Count != c.want || len(out.Names) != c.want {
			t.Errorf("%s: %+v, %v", name, out, err)
		}
		if out, err = remote.Strays(ctx, c.in); err != nil || out.Count != c.want || len(out.Names) != 0 {
			t.Errorf("%s: a client learns %+v, %v", name, out, err)
		}
	}
	kept := "a/secret#" + cursor.Bookmark(e.s.Tag, e.version("a/secret@s1").GUID)
	if out, err := e.s.Strays(ctx, transfer.StraysRequest{Release: true, Keep: true}); err != nil || out.Count != 1 {
		t.Errorf("%+v, %v", out, err)
	}
	if e.version(kept).GUID != e.version("a/secret@s1").GUID || strings.Contains(e.Must("zfs", "holds", "-H", "a/secret@s1"), e.s.Tag) {
		t.Error("the hold is there, or its place is not kept")
	}
	if out, err := e.s.Strays(ctx, transfer.StraysRequest{Release: true}); err != nil || out.Count != 2 {
		t.Errorf("%+v, %v", out, err)
	}
	if got := e.Must("zfs", "list", "-H", "-t", "bookmark", "-o", "name", "-r", "a"); got != "" || !strings.Contains(e.Must("zfs", "holds", "-H", "a/x@s1", "a/secret@s1"), "other") {
		t.Errorf("left: %s", got)
	}
}

// Holds and cursors of all jobs are listed, and can be taken away one by one.
func TestProtection(t *testing.T) {
	e := newEnds(t)
	e.Must("zfs", "snapshot", "-r", "a@s1")
	mark := "a/x#" + cursor.Bookmark(cursor.Tag("push", "old"), e.version("a/x@s1").GUID)
	e.Must("zfs", "bookmark", "a/x@s1", mark)
	e.Must("zfs", "bookmark", "a/x@s1", "a/x#mine")
	e.Must("zfs", "hold", e.s.Tag, "a/x@s1")
	e.Must("zfs", "hold", "keep", "a/x@s1")
	ctx := t.Context()
	all, err := Protection(ctx, e.s.ZFS)
	for i, p := range all {
		if p.Since.IsZero() != (p.Name == mark) {
			t.Errorf("%s since %v", p.Name, p.Since)
		}
		all[i].Since = time.Time{}
	}
	if want := []Protected{{Name: mark, Tag: cursor.Tag("push", "old")}, {Name: "a/x@s1", Tag: e.s.Tag}}; err != nil || !slices.Equal(all, want) {
		t.Fatalf("%v, %v, not %v", all, err, want)
	}
	for _, tags := range [][]string{{e.s.Tag, "none"}, {cursor.Tag("push", "old"), "none"}} {
		left, err := WithoutCursor(ctx, e.s.ZFS, []string{"a"}, func(string) bool { return true }, tags)
		if err != nil || !slices.Equal(left, []string{"none"}) {
			t.Errorf("%v has no cursor, of %v, %v", left, tags, err)
		}
	}
	if old, err := OldHolds(ctx, e.s.ZFS, []string{"a/x@s1"}, []string{e.s.Tag}, time.Now().Add(time.Hour)); err != nil || len(old) != 1 || old[0].Tag != e.s.Tag {
		t.Errorf("old holds %v, %v", old, err)
	}
	if old, err := OldHolds(ctx, e.s.ZFS, []string{"a/x@s1"}, []string{e.s.Tag}, time.Now().Add(-time.Hour)); err != nil || len(old) != 0 {
		t.Errorf("young holds %v, %v", old, err)
	}
	for _, p := range all {
		if err := Unprotect(ctx, e.s.ZFS, p); err != nil {
			t.Error(err)
		}
	}
	if all, err := Protection(ctx, e.s.ZFS); err != nil || len(all) != 0 {
		t.Errorf("left: %v, %v", all, err)
	}
	if names, err := Held(ctx, e.s.ZFS, nil, within("a/x").Pass); err != nil || !slices.Equal(names, []string{"a/x@s1"}) {
		t.Errorf("a person's hold: %v, %v", names, err)
	}
}

// A client does not see the names of others' cursors, and can send from them.
func TestAlias(t *testing.T) {
	e := newEnds(t)
	e.fill()
	w := e.ways()["pull"]
	e.moved(w, "", "a/x@s1")
	guid := e.version("a/x@s1").GUID
	e.Must("zfs", "bookmark", "a/x@s1", "a/x#"+cursor.Bookmark(cursor.Tag("source", "bob"), guid))
	e.Must("zfs", "destroy", "a/x@s1")
	s, _ := e.remote()
	list, err := s.List(t.Context(), transfer.ListRequest{})
	if text := fmt.Sprintf("%+v", list); err != nil || strings.Contains(text, "bob") || !strings.Contains(text, alias(guid)) || strings.Contains(text, "a/secret") {
		t.Errorf("%s, %v", text, err)
	}
	in, out := e.request("a/x@s2", "a/x@s2")
	in.From, out.From = e.version("a/x#"+cursor.Bookmark(cursor.Tag("source", "bob"), guid)), guid
	if _, err := e.move(w, in, out); err == nil {
		t.Error("sent from another's cursor by its own name")
	}
	in.From.Name = alias(guid)
	if _, err := e.move(w, in, out); err != nil || e.version("b/back/a/x@s2").GUID != in.To.GUID {
		t.Errorf("not sent from it by its neutral name: %v", err)
	}
}

// Properties go to a copy as far as its host takes them, and back when the
// source loses them; what somebody sets on the copy stays.
func TestApply(t *testing.T) {
	e := newEnds(t)
	e.fill()
	e.s.Tell = true
	e.r.Take = property.Rules{Take: []string{"user:*", "compression", "atime"}}
	e.Must("zfs", "set", "user:a=1", "user:b=2", "other:c=3", "compression=off", "a/x")
	told := func() transfer.Properties {
		t.Helper()
		list, err := e.s.List(t.Context(), transfer.ListRequest{Datasets: []string{"a/x"}})
		if err != nil || len(list) != 1 {
			t.Fatalf("%v, %v", list, err)
		}
		return list[0].Told
	}
	value := func(name string) string {
		return strings.TrimSpace(e.Must("zfs", "get", "-H", "-o", "value,source", name, "b/back/a/x"))
	}
	apply := func() transfer.Applied {
		t.Helper()
		out, err := e.r.Apply(t.Context(), []transfer.Settings{{Dataset: "b/back/a/x", Told: told()}, {Dataset: "b/back/a", Told: told()}})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	if p := told(); p.Set["user:a"] != "1" || p.Set["compression"] != "off" || p.Sum == "" {
		t.Fatalf("told %+v", p)
	}
	in, out := e.request("", "a/x@s1")
	out.Told = told()
	if got, err := e.move(e.ways()["local"], in, out); err != nil || got.Unset != "" {
		t.Fatalf("%+v, %v", got, err)
	}
	if got := apply(); len(got.Problems) > 0 || value("user:a") != "1\tlocal" || value("compression") != "off\tlocal" || value("other:c") != "-\t-" {
		t.Errorf("%+v: %q %q %q", got, value("user:a"), value("compression"), value("other:c"))
	}
	if got := e.Must("zfs", "get", "-H", "-o", "value", "user:a", "b/back/a"); got != "-\n" {
		t.Errorf("a placeholder was set: %q", got)
	}
	e.Must("zfs", "set", "user:b=somebody", "b/back/a/x")
	e.Must("zfs", "inherit", "user:a", "a/x")
	e.Must("zfs", "set", "user:b=3", "atime=off", "a/x")
	if got := apply(); len(got.Problems) > 0 || value("user:a") != "-\t-" || value("user:b") != "somebody\tlocal" || value("atime") != "off\tlocal" || !strings.Contains(got.Left["b/back/a/x"], "user:b") {
		t.Errorf("%+v: %q %q %q", got, value("user:a"), value("user:b"), value("atime"))
	}
	e.Must("zfs", "set", "user:d=4", "user:e=5", "a/x")
	e.Faults("on=set match=user:d from=1 fail message=cannot set property for 'b/back/a/x': permission denied")
	got := apply()
	if p := got.Problems["b/back/a/x"]; !strings.Contains(p.Text, "user:d") || p.Code != "denied" || value("user:e") != "5\tlocal" {
		t.Errorf("%+v: %q", got, value("user:e"))
	}
	e.Faults("")
	if got := apply(); len(got.Problems) > 0 || value("user:d") != "4\tlocal" {
		t.Errorf("not tried again: %+v, %q", got, value("user:d"))
	}
	e.r.Take = property.Rules{}
	if got := apply(); len(got.Problems) > 0 || value("user:d") != "-\t-" || value("user:b") != "somebody\tlocal" {
		t.Errorf("not taken back: %+v, %q %q", got, value("user:d"), value("user:b"))
	}
}

// A copy comes to life and back; what is none is refused and left.
func TestActivation(t *testing.T) {
	e := newEnds(t)
	e.fill()
	w := e.ways()["local"]
	e.moved(w, "", "a/x@s1")
	e.moved(w, "", "a/x/y@s1")
	e.Must("zfs", "create", "b/back/a/x/mine")
	get := func(names ...string) string {
		return strings.ReplaceAll(strings.TrimSpace(e.Must("zfs", "get", "-H", "-o", "value", names[0], names[1])), "\n", " ")
	}
	run := func(a Activation) (notes []string, err error) {
		t.Helper()
		a.ZFS = e.r.ZFS
		changes, notes, err := a.Plan(t.Context())
		for _, c := range changes {
			if err := a.Do(t.Context(), c); err != nil {
				t.Errorf("%+v: %v", c, err)
			}
		}
		return notes, err
	}
	before := e.all()
	for name, placeholder := range map[string]bool{"b/back/a": true, "b/back/a/x/mine": false} {
		_, err := run(Activation{Datasets: []string{name}})
		if none, ok := err.(*NoCopyError); !ok || none.Placeholder != placeholder {
			t.Errorf("%s: %v", name, err)
		}
	}
	if e.all() != before {
		t.Error("what is no copy was changed")
	}
	if notes, err := run(Activation{Datasets: []string{"b/back/a/x"}, Recursive: true}); err != nil || len(notes) == 0 || !strings.Contains(strings.Join(notes, " "), "mine") {
		t.Errorf("%q, %v", notes, err)
	}
	for _, name := range []string{"b/back/a/x", "b/back/a/x/y"} {
		if got := get("readonly,canmount,exec,setuid", name); got != "off on on on" {
			t.Errorf("%s is not alive: %s", name, got)
		}
	}
	if _, err := run(Activation{Datasets: []string{"b/back/a/x"}, Recursive: true, Inert: true}); err != nil || get("readonly,canmount,exec,mounted", "b/back/a/x") != "on noauto off no" {
		t.Errorf("not inert again: %s, %v", get("readonly,canmount,exec,mounted", "b/back/a/x"), err)
	}
	if changes, _, err := (Activation{ZFS: e.r.ZFS, Datasets: []string{"b/back/a/x"}, Inert: true}).Plan(t.Context()); err != nil || len(changes) > 0 {
		t.Errorf("changed twice: %v, %v", changes, err)
	}
}
