package notify

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/health"
)

// look is what a look finds of job j, whose datasets are in these states.
func look(s health.State, l health.Level, bad ...health.Dataset) health.Report {
	return health.Report{Jobs: []health.Job{{Name: "j", State: s, Level: l, Datasets: append(bad, health.Dataset{Source: "well", State: health.OK})}}}
}

// TestWorse: a job that becomes worse is told of, though its worst dataset is
// in the same state as before; one that becomes better within its state is not.
func TestWorse(t *testing.T) {
	const late, failed, gone, never, ok = health.Late, health.Failed, health.NotOffered, health.Never, health.OK
	warn, crit := health.Warning, health.Critical
	ds := func(s health.State, l health.Level) health.Dataset { return health.Dataset{State: s, Level: l} }
	unknown := health.Report{Jobs: []health.Job{{Name: "j", State: failed, Level: health.Unknown, Why: "zfs did not answer"}}}
	for name, c := range map[string]struct {
		on    []string
		looks []health.Report
		told  string // in each look: x or -
	}{
		"the level rises":           {nil, []health.Report{look(late, warn, ds(late, warn)), look(late, crit, ds(late, crit)), look(late, crit, ds(late, crit))}, "xx-"},
		"the level of a job alone":  {nil, []health.Report{look(failed, warn), look(failed, crit), look(failed, warn), look(failed, crit)}, "xx-x"},
		"the level sinks":           {nil, []health.Report{look(late, crit, ds(late, crit), ds(late, crit)), look(late, crit, ds(late, crit)), look(ok, 0)}, "x-x"},
		"an old problem hides":      {nil, []health.Report{look(never, crit, ds(never, crit)), look(never, crit, ds(never, crit), ds(late, warn)), look(never, crit, ds(never, crit), ds(late, crit))}, "xxx"},
		"one more in a state":       {nil, []health.Report{look(gone, warn, ds(gone, warn)), look(gone, warn, ds(gone, warn), ds(gone, warn)), look(gone, warn, ds(gone, warn)), look(gone, warn, ds(gone, warn), ds(gone, warn))}, "xx-x"},
		"what a command asks for":   {[]string{"late"}, []health.Report{look(failed, warn, ds(failed, warn)), look(failed, warn, ds(failed, warn), ds(late, warn)), look(failed, crit, ds(failed, crit), ds(late, warn))}, "-x-"},
		"zfs did not answer":        {nil, []health.Report{look(failed, warn, ds(failed, warn)), unknown, look(failed, warn, ds(failed, warn)), look(failed, warn, ds(failed, warn), ds(late, warn))}, "xx-x"},
		"zfs did not answer at all": {nil, []health.Report{look(failed, crit, ds(failed, crit)), unknown, look(failed, crit, ds(failed, crit))}, "x--"},
		"a run in between":          {nil, []health.Report{look(late, warn, ds(late, warn)), look(health.Running, 0), look(late, warn, ds(late, warn)), look(ok, 0)}, "x--x"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.on == nil {
				c.on = []string{"late", "failed", "never", "not-offered", "ok"}
			}
			n, dir := notifier(t, `echo x >>"$1/told"`, c.on...)
			var got string
			for _, r := range c.looks {
				os.Remove(filepath.Join(dir, "told"))
				if err := n.Tell(context.Background(), r); err != nil {
					t.Fatal(err)
				}
				switch lines(dir) {
				case "":
					got += "-"
				case "x\n":
					got += "x"
				default:
					got += fmt.Sprintf("%q", lines(dir))
				}
			}
			if got != c.told {
				t.Errorf("told %s, want %s", got, c.told)
			}
		})
	}
}
