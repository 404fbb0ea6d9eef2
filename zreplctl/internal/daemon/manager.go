package daemon

import (
	"context"
	"fmt"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/plural"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/control"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/systemd"
)

// stopMargin is how much longer than stop_timeout the end of the daemon may
// take.
const stopMargin = 15 * time.Second

// manage tells the manager of services what the daemon does. A daemon whose
// state cannot be looked at does not tell that it lives.
func (d *daemon) manage(ctx context.Context) {
	if !d.Manager.There() {
		return
	}
	every := time.Hour
	if w := d.Manager.Watchdog(); w > 0 {
		every = w / 2
	}
	for ctx.Err() == nil {
		changed := d.changed.next()
		d.tellManager(systemd.Alive, systemd.Status(summary(d.Status())))
		wait(ctx, min(time.Second, every))
		alive := time.NewTimer(every)
		select {
		case <-changed:
		case <-alive.C:
		case <-ctx.Done():
		}
		alive.Stop()
	}
}

// tellManager is what the daemon says; what is wrong with that, it says once.
func (d *daemon) tellManager(assignments ...string) {
	d.troubles.tell(d.Log, "cannot tell systemd how the daemon is", d.Manager.Tell(assignments...))
}

// summary is a line about all jobs.
func summary(s control.Status) string {
	count := map[string]int{}
	connections := 0
	for _, j := range s.Jobs {
		count[j.State]++
		connections += len(j.Connections)
	}
	text := fmt.Sprintf("%s, %d running, %d waiting, %s", plural.Of(len(s.Jobs), "job"), count[control.Running], count[control.Waiting], plural.Of(connections, "connection"))
	for _, state := range []string{control.Failed, control.Broken, control.Paused} {
		if count[state] > 0 {
			text += fmt.Sprintf(", %d %s", count[state], state)
		}
	}
	return text
}
