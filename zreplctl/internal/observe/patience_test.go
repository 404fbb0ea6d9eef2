package observe

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
	"github.com/zrepl-tools/zrepl-tools/lib/zfssim/simhost"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/health"
)

// TestSilence: a zfs that does not answer, as of a suspended pool, or stops in
// the middle of a list, makes the job unknown in bounded time, also where no
// signal ends it; one that is slow and keeps talking is waited for.
func TestSilence(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "c.yml")
	text := "global: {rundir: " + dir + "/run, statedir: " + dir + "/state}\njobs:\n" +
		"- {name: j, type: autosnap, datasets: {\"a<\": ok}, snapshot_prefix: s, interval: 1h}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	for what, test := range map[string]struct {
		script string
		silent bool
	}{
		"silent":               {"exec sleep 300", true},
		"not to be ended":      {"trap '' TERM; while :; do sleep 0.1; done", true},
		"silent in the middle": {`case "$*" in *snapshot*) printf 'a@s\t1\t1\n'; exec sleep 300;; *) echo a;; esac`, true},
		"slow":                 {`case "$*" in *snapshot*) for n in 1 2 3 4 5 6 7; do printf "a@s$n\t$n\t$n\t1\t-\t-\n"; sleep $PAUSE; done;; *) echo a;; esac`, false},
	} {
		path := filepath.Join(dir, strings.ReplaceAll(what, " ", "-"))
		if err := simhost.WriteProgram(path, "#!/bin/sh\n"+test.script+"\n"); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		j, silent := lookAt(t, c, path, 1)
		if silent && !test.silent { // a busy machine takes a second to start a program
			j, silent = lookAt(t, c, path, 20)
		}
		if silent != test.silent || silent && j.Level != health.Unknown {
			t.Errorf("%s: %s, %v, %q", what, j.State, j.Level, j.Why)
		}
		if took := time.Since(began); took > 2*time.Minute { // zfs itself goes on for longer
			t.Errorf("%s: it took %v", what, took)
		}
	}
}

// lookAt has so many seconds of patience with a zfs, which pauses for a third of that
// if it is slow.
func lookAt(t *testing.T, c *config.Config, zfsPath string, patience int) (health.Job, bool) {
	t.Helper()
	limit := time.Duration(patience) * time.Second
	t.Setenv("PAUSE", fmt.Sprint(limit.Seconds()*0.3))
	o := Observer{Config: c, ZFS: &zfs.ZFS{Path: zfsPath}, Now: time.Now(), Patience: limit}
	j := health.Judge(o.Look(t.Context())).Jobs[0]
	return j, strings.Contains(j.Why, fmt.Sprintf("zfs has not answered for %s", limit))
}
