package job

import (
	"testing"

	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
)

// The dataset that a path means, and the path in it.
func TestFindWhere(t *testing.T) {
	copies := []filesystem{
		{name: "b/p/z", source: "z"},
		{name: "b/p/z/usr", source: "z/usr", place: "/usr"},
		{name: "b/p/z/usr/home", source: "z/usr/home"},
		{name: "b/p/z/usr/home/alice", source: "z/usr/home/alice"},
		{name: "b/p/z/srv", source: "z/srv", place: "/data/srv"},
		{name: "b/p/z/srv2", source: "z/srv2", place: "/data/srv/two"},
		{name: "b/p/z/www/alice", source: "z/www/alice"},
		{name: "b/p/evil/home/alice/docs", source: "evil/home/alice/docs"},
		{name: "b/p/stray/srv", source: "b/p/stray/srv", place: "/stray", stray: true},
	}
	for _, c := range []struct{ dataset, path, want, inside string }{
		{"", "/data/srv/x", "b/p/z/srv", "x"},
		{"", "/data/srv/two/x", "b/p/z/srv2", "x"},
		{"", "/data/srv/twofold/x", "b/p/z/srv", "twofold/x"},
		{"", "/data/srv", "b/p/z/srv", ""},
		{"", "/usr/home/x", "b/p/z/usr", "home/x"}, // a mountpoint is known, and a name only like the path
		{"", "/home/alice/letters", "b/p/z/usr/home/alice", "letters"},
		{"", "/home/bob/letters", "b/p/z/usr/home", "bob/letters"},
		{"", "/www/alice/x", "b/p/z/www/alice", "x"},
		{"", "z/usr/home/alice/x", "b/p/z/usr/home/alice", "x"},
		{"", "b/p/z/usr/home/x/y", "b/p/z/usr/home", "x/y"},
		{"", "/z/usr/home/x", "b/p/z/usr/home", "x"},
		{"", "/alice/x", "", ""}, // two are named so
		{"", "/nothing/x", "", ""},
		{"", "alice/x", "", ""},
		{"", "/home/alice/docs/f", "", ""}, // a longer end is not enough if another fits
		{"", "/stray/x", "", ""},
		{"", "b/p/stray/srv/x", "b/p/stray/srv", "x"},
		{"", "zz/x", "", ""},
		{"b/p/z/srv", "x", "b/p/z/srv", "x"},
		{"b/p/z/srv", "/data/srv/x", "b/p/z/srv", "x"},
		{"b/p/z/srv", "data/srv/x", "b/p/z/srv", "data/srv/x"},
		{"b/p/z/srv", "/x", "b/p/z/srv", "/x"},
		{"b/p/none", "x", "", ""},
	} {
		f := &Files{Run: &Run{Job: &config.Job{Name: "j", Type: config.PushSink, Root: "b/p"}}, Dataset: c.dataset, Path: c.path}
		find := f.guess
		if c.dataset != "" {
			find = f.named
		}
		inside, err := find(copies)
		if f.fs.name != c.want || inside != c.inside || (err == nil) != (c.want != "") {
			t.Errorf("%q %q: %q %q, %v", c.dataset, c.path, f.fs.name, inside, err)
		}
	}
}

// What is below another job's own target is of another peer.
func TestFindOfAnother(t *testing.T) {
	all := &config.Job{Name: "all", Type: config.PushSink, Root: "b/all"}
	evil := &config.Job{Name: "evil", Type: config.PushSink, Root: "b/all/evil"}
	for name, want := range map[string][2]bool{"b/all/x": {false, true}, "b/all/evil/x": {true, false}, "b/all/evil": {true, false}, "b/all/evils": {false, true}} {
		for i, j := range []*config.Job{all, evil} {
			f := &Files{Run: &Run{Job: j}, Jobs: []*config.Job{all, evil}}
			if got := f.ofAnother(name); got != want[i] {
				t.Errorf("%s of %s: %v", name, j.Name, got)
			}
		}
	}
}
