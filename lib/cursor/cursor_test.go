package cursor

import "testing"

// The names are on disk: they must not change.
func TestNames(t *testing.T) {
	for got, want := range map[string]string{
		Tag("source", "backups.example.com"):    "zreplctl_source_backups.example.com",
		LastTag("pull_prod1"):                   "zreplctl_last_pull_prod1",
		Bookmark(Tag("push", "j"), 0xbeef):      "zreplctl_push_j_000000000000beef",
		Bookmark(Tag("local", "j"), 1<<64-1):    "zreplctl_local_j_ffffffffffffffff",
		Bookmark(Tag("local", "a_1"), 1<<64-16): "zreplctl_local_a_1_fffffffffffffff0",
	} {
		if got != want {
			t.Errorf("%s, not %s", got, want)
		}
	}
}

func TestTagOf(t *testing.T) {
	for bookmark, want := range map[string]string{
		"zreplctl_push_j_000000000000beef":      "zreplctl_push_j",
		"zreplctl_local_a_1_fffffffffffffff0":   "zreplctl_local_a_1",
		"zreplctl_push_j_000000000000BEEF":      "",
		"zreplctl_push_j_00000000000beef":       "",
		"zreplctl_push_j_000000000000beef ":     "",
		"zreplctl_push_j":                       "",
		"zreplctl_0000000000000000":             "",
		"other_push_j_000000000000beef":         "",
		"zreplctl_push_j_0000000000000000_kept": "",
		"":                                      "",
	} {
		tag, ok := TagOf(bookmark)
		if ok != (want != "") || ok && tag != want {
			t.Errorf("%q: %q, %v", bookmark, tag, ok)
		}
		if ok && !Is(tag, bookmark) {
			t.Errorf("%q is none of %q", bookmark, tag)
		}
	}
	if Is("zreplctl_push_j", "zreplctl_push_j_1_000000000000beef") {
		t.Error("the cursor of job j_1 is taken for one of job j")
	}
	for tag, want := range map[string]bool{"zreplctl_source_a": true, "zreplctl_push_b": true, "zreplctl_local_c": true,
		"zreplctl_last_c": false, "zreplctl_sourcea": false, "keep": false} {
		if OfSender(tag) != want {
			t.Errorf("%q: %v", tag, !want)
		}
	}
}

// A bookmark of an earlier base is no cursor, and has an owner all the same.
func TestKept(t *testing.T) {
	const tag, name = "zreplctl_source_a.b_c", "zreplctl_source_a.b_c:000000000000beef"
	if got := Kept(tag, 0xbeef); got != name {
		t.Errorf("%s, not %s", got, name)
	}
	if _, ok := TagOf(name); ok || Is(tag, name) || !IsKept(tag, name) {
		t.Errorf("%q is taken for a cursor", name)
	}
	for bookmark, want := range map[string]string{
		name:                                    tag,
		"zreplctl_push_j_000000000000beef":      "zreplctl_push_j",
		"zreplctl_push_j:00000000000beef":       "",
		"zreplctl_push_j:000000000000BEEF":      "",
		"zreplctl_push_j:x:000000000000beef":    "",
		"zreplctl_push_j:000000000000beef_kept": "",
		"other_push_j:000000000000beef":         "",
		":000000000000beef":                     "",
		"":                                      "",
	} {
		owner, ok := Owner(bookmark)
		if owner != want || ok != (want != "") {
			t.Errorf("%q: %q, %v", bookmark, owner, ok)
		}
	}
	if IsKept("zreplctl_source_a.b", name) {
		t.Error("what is kept for one client is taken for another's")
	}
}

// A restore's tag names its job and its target, and is nobody's cursor.
func TestRestoreTag(t *testing.T) {
	tag := RestoreTag("pull_a.b-c", "tank/new/x y")
	if job, target, ok := RestoreOf(tag); tag != "zreplctl_restore_pull_a.b-c:tank:new:x y" || job != "pull_a.b-c" || target != "tank/new/x y" || !ok {
		t.Errorf("%q: %q, %q, %v", tag, job, target, ok)
	}
	if !Ours(tag) || OfSender(tag) {
		t.Errorf("%q: ours %v, a sender's %v", tag, Ours(tag), OfSender(tag))
	}
	for _, other := range []string{LastTag("restore_a:b"), Tag("local", "x"), "zreplctl_restore_x", "restore_x:y"} {
		if _, _, ok := RestoreOf(other); ok {
			t.Errorf("%q is taken for a restore's", other)
		}
	}
}

// The tag of a client's restore is that of no restore on this host, and of one
// job.
func TestBackTag(t *testing.T) {
	tag := BackTag("sink", "tank/new")
	if target, ok := BackOf("sink", tag); tag != "zreplctl_restore_sink::tank:new" || target != "tank/new" || !ok {
		t.Errorf("%q is of %q, %v", tag, target, ok)
	}
	for _, other := range []string{RestoreTag("sink", "tank/new"), BackTag("other", "tank/new"), LastTag("sink")} {
		if _, ok := BackOf("sink", other); ok {
			t.Errorf("%q is taken for a client's", other)
		}
	}
}
