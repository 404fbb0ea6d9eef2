package daemon

import (
	"testing"
	"time"

	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/control"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
)

// TestRecoverHooks: a run follows at once on one that was killed before its
// hooks had run, also if a person had stopped it, but not on one whose hooks
// have run.
func TestRecoverHooks(t *testing.T) {
	for _, c := range []struct {
		name string
		run  control.Run
		owes bool
		want bool
	}{
		{"killed", control.Run{Status: 137}, true, true},
		{"killed after stop_timeout", control.Run{Status: 137, Stopped: true}, true, true},
		{"killed when nothing was due", control.Run{Status: 137}, false, false},
		{"stopped, and a hook after it failed", control.Run{Status: 143, Stopped: true}, true, false},
		{"failed", control.Run{Status: 1}, true, false},
	} {
		conf := timed(t.TempDir(), 24*time.Hour, "good")
		if c.owes {
			if err := state.Of(conf.Global).Write("good.hooks", []byte(`{"run":true}`)); err != nil {
				t.Fatal(err)
			}
		}
		j := &job{d: &daemon{Options: Options{Config: conf}}, name: "good"}
		j.due.Adopt(timesOf(conf.Jobs[0], []string{"pull"}), wall())
		if j.recoverHooks(&c.run); j.due.Owed != c.want {
			t.Errorf("%s: %v", c.name, j.due.Owed)
		}
		j.due.Owed = false
		if j.recoverHooks(&c.run); j.due.Owed {
			t.Errorf("%s: again", c.name)
		}
	}
}
