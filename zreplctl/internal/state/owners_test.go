package state

import (
	"os"
	"slices"
	"testing"
)

// TestOwners: a file's name tells whose it is, also if that name has dots.
func TestOwners(t *testing.T) {
	for file, want := range map[string]Owner{
		"pull.json":                       {"pull", false},
		"pull.b.json":                     {"pull.b", false},
		"pull.covered.lock":               {"pull", false},
		"pull.verified.damaged":           {"pull", false},
		"pull.arrivals.target":            {"pull", false},
		"pull.seeding":                    {"pull", false},
		"pull.log.new":                    {"pull", false},
		"offer@me.too.chains":             {"offer", false},
		"offer@me.chains.old":             {"offer", false},
		"me.sessions":                     {"me", true},
		"me.owner":                        {"me", true},
		"zreplctl_source_me.common":       {"me", true},
		"zreplctl_source_me.kept":         {"me", true},
		"zreplctl_push_out.x.common.lock": {"out.x", false},
		"zreplctl_local_mirror.kept":      {"mirror", false},
		"created":                         {},
		".notified":                       {},
		".daemon":                         {},
		".json":                           {},
		"notes.txt":                       {},
		"zreplctl_last_x.common":          {},
	} {
		if got, ok := ownerOf(file); got != want || ok != (want != Owner{}) {
			t.Errorf("%s: %+v, %v", file, got, ok)
		}
	}
}

// TestLeft: only what has an owner that is not known is left.
func TestLeft(t *testing.T) {
	d := In(t.TempDir())
	for _, name := range []string{"old.json", "old.log", "new.json", "old.sessions", "other", "old@me.chains"} {
		if err := os.WriteFile(d.Path(name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	left := d.Left(func(o Owner) bool { return o.Name == "new" })
	if len(left) != 2 || left[0].Owner != (Owner{"old", false}) || len(left[0].Files) != 3 || left[1].Owner != (Owner{"old", true}) || left[0].Newest.IsZero() {
		t.Errorf("%+v", left)
	}
	l := Left{Owner: Owner{Name: "a.b"}, Files: []string{"a.b.json", "a.b@me.too.chains", "a.b@me.too.chains.old", "a.b@you.chains.lock"}}
	if got := l.Receivers(); !slices.Equal(got, []string{"me.too", "you"}) {
		t.Errorf("%q", got)
	}
	if left := In("").Left(nil); left != nil {
		t.Errorf("%+v", left)
	}
}
