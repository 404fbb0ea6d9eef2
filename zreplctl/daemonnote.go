package main

import (
	"log/slog"
	"sync"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/progress"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/job"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/observe"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
)

// daemonNote keeps up to date what others learn of the daemon without asking
// it: that it runs, with which configuration, and whom clients cannot reach.
type daemonNote struct {
	started time.Time
	log     *slog.Logger

	mu     sync.Mutex
	config *config.Config
	sum    string
	broken map[string]string
}

// reloaded notes what the daemon runs by from now on.
func (n *daemonNote) reloaded(c *config.Config, text []byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.config, n.sum = c, observe.SumText(text)
	n.write()
	if err := state.Of(c.Global).Shared(); err != nil {
		n.log.Warn("the group of monitor cannot look", "error", err)
	}
}

// broke notes why clients cannot reach jobs.
func (n *daemonNote) broke(jobs map[string]string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.broken = jobs
	n.write()
}

func (n *daemonNote) write() {
	err := job.WriteDaemon(state.Of(n.config.Global), job.DaemonNote{Started: progress.At(n.started), Config: n.config.Path, Sum: n.sum, Broken: n.broken})
	if err != nil {
		n.log.Warn("others cannot see how the daemon is", "error", err)
	}
}
