package config

import (
	"fmt"
	"os"
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
)

// SystemDefaults are the paths of global where the file names none: below
// /var/run for root, below $XDG_RUNTIME_DIR for others.
func SystemDefaults() Global {
	dir := "/var/run/zreplctl"
	if uid := os.Geteuid(); uid != 0 {
		base := os.Getenv("XDG_RUNTIME_DIR")
		if !filepath.IsAbs(base) {
			base = filepath.Join(os.TempDir(), fmt.Sprintf("run-%d", uid))
		}
		dir = filepath.Join(base, "zreplctl")
	}
	return Global{RunDir: dir}
}

// within fills in the paths that stand below the run directory.
func (g *Global) within() {
	if g.Control == "" {
		g.Control = filepath.Join(g.RunDir, "control")
	}
	if g.SockDir == "" {
		g.SockDir = filepath.Join(g.RunDir, "stdinserver")
	}
}
