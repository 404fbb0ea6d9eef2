package state

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
)

// TestCommon: what is noted is kept, a damaged note is an error for those who
// read it, and is begun anew by those who write it.
func TestCommon(t *testing.T) {
	d := In(t.TempDir())
	c := d.Common("zreplctl_source_me")
	is := func(what string, want map[string]dataset.GUID) {
		t.Helper()
		got, err := c.Read()
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v, want -, got +:\n%s", what, err, diff)
		}
	}
	write := func(guids map[string]dataset.GUID) {
		t.Helper()
		if err := c.Write(guids); err != nil {
			t.Fatal(err)
		}
	}
	is("nothing", nil)
	write(map[string]dataset.GUID{"a/x": 1, "a/y": 2})
	write(map[string]dataset.GUID{"a/x": 0})
	is("two writes", map[string]dataset.GUID{"a/x": 0, "a/y": 2})
	good, err := d.Read("zreplctl_source_me.common", 100)
	if err != nil {
		t.Fatal(err)
	}
	for n := range len(good) { // a cut note says nothing, least of all less
		os.WriteFile(d.Path("zreplctl_source_me.common"), good[:n], 0o600)
		if got, err := c.Read(); err == nil {
			t.Errorf("cut to %d bytes: %v", n, got)
		}
	}
	write(map[string]dataset.GUID{"a/z": 3})
	is("a damaged note", map[string]dataset.GUID{"a/z": 3})
	if err := c.Forget([]string{"a/z", "a/other"}); err != nil {
		t.Fatal(err)
	}
	is("forgotten", map[string]dataset.GUID{})
}
