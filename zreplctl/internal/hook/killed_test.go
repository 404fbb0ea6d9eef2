package hook

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/zfssim/simhost"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
)

// step is what a hook does: it counts its beginning and its end as steps, notes
// that it ran in between, and kills its zreplctl at the step that is in the file
// "kill". It fails for a dataset that is gone.
const step = `#!/bin/sh
cd "${0%/*}" || exit 1
step() {
  echo >>steps
  [ "$(wc -l <steps)" -ne "$(cat kill)" ] || { kill -9 $PPID; sleep 600; }
}
step
echo "${0##*/}${2:+ $2}${ZREPL_DATASET:+ $ZREPL_DATASET}" >>ran
step
[ "$ZREPL_DATASET" != p/gone ]
`

// stepping are the hooks of a job whose next run is killed at some step.
type stepping struct {
	*Hooks
	dir string
}

func newStepping(dir string) *stepping {
	s := &stepping{&Hooks{Job: "db", Dir: state.In(filepath.Join(dir, "state"))}, dir}
	s.Say = func(string) { s.step() }
	s.Datasets = func(context.Context) ([]string, error) { s.step(); return []string{"p/db", "p/gone"}, nil }
	s.Gone = func(_ context.Context, asked []string) (gone []string, _ error) {
		s.step()
		if slices.Contains(asked, "p/gone") {
			gone = []string{"p/gone"}
		}
		return gone, nil
	}
	return s
}

// step is one of this process.
func (s *stepping) step() {
	f, err := os.OpenFile(s.dir+"/steps", os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err == nil {
		_, err = f.WriteString("\n")
		f.Close()
	}
	steps, _ := os.ReadFile(s.dir + "/steps")
	at, _ := os.ReadFile(s.dir + "/kill")
	if n, _ := strconv.Atoi(strings.TrimSpace(string(at))); err != nil || n == bytes.Count(steps, []byte("\n")) {
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
}

func (s *stepping) hook(name string, arguments ...string) config.Hook {
	return config.Hook{Command: append([]string{s.dir + "/" + name}, arguments...), Timeout: 10 * time.Minute, OnFailure: config.Skip}
}

func (s *stepping) each(name string) config.Hook {
	h := s.hook(name)
	h.Each = true
	return h
}

// before are the hooks that the job had.
func (s *stepping) before() {
	s.AfterSnapshot = []config.Hook{s.each("thaw"), s.hook("unlock")}
	s.Hooks.Hooks.After = []config.Hook{s.hook("start"), s.hook("mount")}
}

const asBefore = "mount|start|thaw p/db|thaw p/gone|unlock"

// halfWritten is what a kill leaves while the note is replaced.
func halfWritten(s *stepping) error {
	return os.WriteFile(s.Dir.Path(owedName(s.Job))+".new", []byte(`{"ru`), 0o600)
}

// killings are what a run can find that is killed itself.
var killings = []struct {
	name  string
	kills int                     // at most, one after the other
	found func(s *stepping) error // what else happened before it
	now   func(s *stepping)       // the hooks by now
	runs  string                  // what must run, sorted
}{
	{"the same hooks, and a note that was half written", 1, halfWritten, (*stepping).before, asBefore},
	{"no hook any more", 1, nil, func(s *stepping) {}, asBefore},
	{"others", 2, nil, func(s *stepping) {
		s.AfterSnapshot = []config.Hook{s.hook("unlock"), s.hook("ping")}
		s.Hooks.Hooks.After = []config.Hook{s.hook("start", "-v", "gently"), s.hook("tell")}
	}, "mount|ping|start gently|tell|thaw p/db|thaw p/gone|unlock"},
	{"others, and a full disk", 1, func(s *stepping) error { return os.Mkdir(s.Dir.Path(owedName(s.Job))+".new", 0o700) }, func(s *stepping) {
		s.AfterSnapshot = []config.Hook{s.hook("ping")}
		s.Hooks.Hooks.After = []config.Hook{s.hook("start")}
	}, "mount|ping|start|thaw p/db|thaw p/gone|unlock"},
	{"a damaged note", 1, func(s *stepping) error { return os.WriteFile(s.Dir.Path(owedName(s.Job)), []byte("{"), 0o600) },
		(*stepping).before, asBefore},
}

// A run that does what an earlier one left is killed as well, once or twice, at
// each of its steps: before and after each command, and whenever it says or asks
// something. Between two of these the disk changes once at most, so these are all
// states in which a kill can leave it. Nothing is lost, and nothing runs more
// often than runs of the job began.
func TestRecoverKilled(t *testing.T) {
	script := filepath.Join(t.TempDir(), "step")
	if err := simhost.WriteProgram(script, step); err != nil {
		t.Fatal(err)
	}
	for i, c := range killings {
		for kills := 1; kills <= c.kills; kills++ {
			t.Run(fmt.Sprintf("%s, killed %d times", c.name, kills), func(t *testing.T) {
				t.Parallel()
				at := 1
				for killedAt(t, script, i, at, kills) && at < 100 {
					at++
				}
				if at < 10 || at == 100 { // all of them have 5 commands or more
					t.Errorf("%d steps", at)
				}
			})
		}
	}
}

// killedAt reports whether a run has as many steps as to be killed at this one.
func killedAt(t *testing.T, script string, i, at, kills int) (killed bool) {
	dir, err := os.MkdirTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	s, c := newStepping(dir), killings[i]
	what := fmt.Sprintf("at step %d", at)
	for _, name := range []string{"thaw", "unlock", "start", "mount", "ping", "tell"} {
		if err := os.Symlink(script, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	s.killAt(0)
	s.before()
	if err := s.Before(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Around(t.Context(), "s1", []string{"p/db", "p/gone"}); err != nil {
		t.Fatal(err)
	}
	if c.found != nil {
		if err := c.found(s); err != nil {
			t.Fatal(err)
		}
	}
	for range kills {
		s.killAt(at)
		run := exec.Command(os.Args[0], "-test.run=^TestRecovering$")
		run.Env = append(os.Environ(), "HOOK_TEST_DIR="+dir, "HOOK_TEST_CASE="+strconv.Itoa(i))
		err := run.Run()
		if err != nil && run.ProcessState.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			t.Fatal(what, err)
		}
		killed = killed || err != nil
	}
	s.killAt(0)
	s = newStepping(dir)
	c.now(s)
	s.Recover(t.Context()) // it tells of datasets that are gone, and of notes
	if Owes(s.Dir, s.Job) {
		t.Errorf("%s: something is due still", what)
	}
	ran := map[string]int{}
	text, _ := os.ReadFile(dir + "/ran")
	for line := range strings.Lines(string(text)) {
		ran[strings.TrimSpace(line)]++
	}
	var names []string
	for name, n := range ran {
		if names = append(names, name); n > kills+1 {
			t.Errorf("%s: %s ran %d times", what, name, n)
		}
	}
	slices.Sort(names)
	if got := strings.Join(names, "|"); got != c.runs {
		t.Errorf("%s: %s ran, want %s", what, got, c.runs)
	}
	return killed
}

func (s *stepping) killAt(n int) {
	os.Remove(s.dir + "/steps")
	if err := os.WriteFile(s.dir+"/kill", []byte(strconv.Itoa(n)), 0o600); err != nil {
		panic(err)
	}
}

// TestRecovering is the run that TestRecoverKilled kills.
func TestRecovering(t *testing.T) {
	dir := os.Getenv("HOOK_TEST_DIR")
	if dir == "" {
		return
	}
	i, err := strconv.Atoi(os.Getenv("HOOK_TEST_CASE"))
	if err != nil {
		t.Fatal(err)
	}
	s := newStepping(dir)
	killings[i].now(s)
	s.Recover(t.Context())
	os.Exit(0)
}
