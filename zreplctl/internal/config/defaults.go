package config

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"time"
)

// The defaults of a job.
const (
	defaultInitial  = "most_recent"
	defaultParallel = 1
	defaultChecksum = "none"
	defaultCursor   = CursorHold
	defaultStall    = 30 * time.Minute
	defaultMaxHold  = 30 * 24 * time.Hour

	defaultHookTimeout = time.Minute
)

// defaultStop leaves time to end a stream so that it can be resumed, to release
// holds, and to write the record.
const defaultStop = 30 * time.Second

const (
	defaultRuns  = 8
	defaultAtEnd = Finish
	jitterPart   = 10 // of an interval
)

// SystemDefaults are the paths of global where the file names none: below
// /var/run for root, below $XDG_RUNTIME_DIR for others. Where cron does not set
// that it must be the same place all the same, and one that no other user could
// have made.
func SystemDefaults() Global {
	base := "/var/run"
	if uid := os.Geteuid(); uid != 0 {
		base = os.Getenv("XDG_RUNTIME_DIR")
		if !filepath.IsAbs(base) {
			base = fmt.Sprintf("/run/user/%d", uid)
		}
	}
	return Global{RunDir: filepath.Join(base, "zreplctl"), StateDir: filepath.Join(stateHome(), "zreplctl")}
}

// stateHome is where programs of this user keep their state.
func stateHome() string {
	if os.Geteuid() == 0 {
		return "/var/lib"
	}
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return dir
	}
	home := os.Getenv("HOME")
	if !filepath.IsAbs(home) {
		home = "/"
		if u, err := user.Current(); err == nil && filepath.IsAbs(u.HomeDir) {
			home = u.HomeDir
		}
	}
	return filepath.Join(home, ".local", "state")
}

// DefaultLimits are the limits where the file names none.
func DefaultLimits() Limits {
	return Limits{Connections: 128, ClientConnections: 16, Idle: 10 * time.Minute, Silence: time.Minute}
}

// OrDefaults fills in what is not set.
func (l Limits) OrDefaults() Limits {
	d := DefaultLimits()
	if l.Connections == 0 {
		l.Connections = d.Connections
	}
	if l.ClientConnections == 0 {
		l.ClientConnections = d.ClientConnections
	}
	if l.Idle == 0 {
		l.Idle = d.Idle
	}
	if l.Silence == 0 {
		l.Silence = d.Silence
	}
	return l
}

// within fills in the limits, and the paths that stand below the run directory. Only the owner
// of the sockets may enter their directories, which can be different users.
func (g *Global) within() {
	g.Limits = g.Limits.OrDefaults()
	if g.Runs == 0 {
		g.Runs = defaultRuns
	}
	if g.StopTimeout == 0 {
		g.StopTimeout = defaultStop
	}
	if g.Control == "" {
		g.Control = filepath.Join(g.RunDir, "daemon", "control")
	}
	if g.SockDir == "" {
		g.SockDir = filepath.Join(g.RunDir, "stdinserver")
	}
}
