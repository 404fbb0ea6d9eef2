package hook

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/zrepl-tools/zrepl-tools/lib/mapfilter"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
)

// hooked is a job's hooks, and a file that they write into.
type hooked struct {
	t *testing.T
	*Hooks
	dir   string
	said  []string
	taken map[string]bool
}

func newHooked(t *testing.T) *hooked {
	k := &hooked{t: t, dir: t.TempDir(), taken: map[string]bool{}}
	k.Hooks = &Hooks{Job: "db", Dir: state.In(filepath.Join(k.dir, "state")), Say: func(s string) { k.said = append(k.said, s) }}
	return k
}

// sh is a hook that notes its call and then runs text.
func (k *hooked) sh(text string) config.Hook {
	note := `echo "$ZREPL_HOOK ds=$ZREPL_DATASET all=$(printf %s "$ZREPL_DATASETS" | tr '\n' ,) at=$ZREPL_SNAPSHOT $ZREPL_STATUS" >>'` + k.dir + `/calls'`
	return config.Hook{Command: []string{"sh", "-c", note + "\n" + text}, Timeout: time.Minute, OnFailure: config.Skip}
}

func (k *hooked) filter(rules map[string]string) *mapfilter.Rules {
	var n yaml.Node
	if err := n.Encode(rules); err != nil {
		k.t.Fatal(err)
	}
	r, err := mapfilter.FilterFromYAML(&n, "")
	if err != nil {
		k.t.Fatal(err)
	}
	return r
}

// calls are those since the last look.
func (k *hooked) calls() string {
	text, _ := os.ReadFile(k.dir + "/calls")
	os.Remove(k.dir + "/calls")
	return strings.TrimSpace(string(text))
}

// take takes the snapshots of datasets, but of those that fail.
func (k *hooked) take(ctx context.Context, fails string, datasets ...string) (goOn []string, err error) {
	goOn, done, err := k.Around(ctx, "s1", datasets)
	for _, ds := range goOn {
		k.taken[ds] = err == nil && ds != fails
	}
	return goOn, errors.Join(err, done(k.taken))
}

func (k *hooked) is(what, got, want string) {
	k.t.Helper()
	if got != want {
		k.t.Errorf("%s:\n%s\nwant:\n%s", what, got, want)
	}
}

func (k *hooked) owesNothing() {
	k.t.Helper()
	if Owes(k.Dir, k.Job) {
		k.t.Error("hooks are noted that have run")
	}
}

func TestSnapshots(t *testing.T) {
	k := newHooked(t)
	before, after := k.sh(""), k.sh("")
	each := k.sh("")
	each.Each, each.Datasets = true, k.filter(map[string]string{"p/db<": "ok"})
	k.BeforeSnapshot, k.AfterSnapshot = []config.Hook{before, each}, []config.Hook{each, after}
	if _, err := k.take(t.Context(), "p/db/b", "p/a", "p/db", "p/db/b"); err != nil {
		t.Fatal(err)
	}
	k.is("calls", k.calls(), `before_snapshot ds= all=p/a,p/db,p/db/b at=s1 
before_snapshot ds=p/db all=p/db at=s1 
before_snapshot ds=p/db/b all=p/db/b at=s1 
after_snapshot ds=p/db all=p/db at=s1 taken
after_snapshot ds=p/db/b all=p/db/b at=s1 failed
after_snapshot ds= all=p/a,p/db,p/db/b at=s1 failed`)
	k.owesNothing()
}

// A hook that fails takes its datasets out of the run, or ends it; what its
// failure stopped half is started again.
func TestFails(t *testing.T) {
	for word, want := range map[string]struct{ goOn, last string }{
		config.Skip:   {"p/a", "after_snapshot ds= all=p/db at=s1 skipped"},
		config.Abort:  {"", "after_snapshot ds= all=p/db at=s1 skipped"},
		config.Ignore: {"p/a p/db", "after_snapshot ds= all=p/db at=s1 taken"},
	} {
		k := newHooked(t)
		bad, after := k.sh("echo no room; exit 3"), k.sh("")
		bad.OnFailure, bad.Datasets = word, k.filter(map[string]string{"p/db": "ok"})
		after.Datasets = bad.Datasets
		k.BeforeSnapshot, k.AfterSnapshot = []config.Hook{bad}, []config.Hook{after}
		goOn, err := k.take(t.Context(), "", "p/a", "p/db")
		k.is(word, strings.Join(goOn, " "), want.goOn)
		k.is(word, k.calls(), "before_snapshot ds= all=p/db at=s1 \n"+want.last)
		if Aborts(err) != (word == config.Abort) || (err == nil) != (word == config.Ignore) {
			t.Errorf("%s: %v", word, err)
		}
		if text := strings.Join(k.said, "") + errText(err); !strings.Contains(text, `cannot run before_snapshot hook "sh" for p/db: exit status 3: no room`) {
			t.Errorf("%s: %q", word, text)
		}
		k.owesNothing()
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// A hook that a run was aborted before, for datasets that nothing has happened
// to, does not run.
func TestNotReached(t *testing.T) {
	k := newHooked(t)
	bad, other, after := k.sh("exit 1"), k.sh(""), k.sh("")
	bad.OnFailure, bad.Datasets = config.Abort, k.filter(map[string]string{"p/db": "ok"})
	other.Datasets = k.filter(map[string]string{"p/vm": "ok"})
	after.Datasets = other.Datasets
	k.BeforeSnapshot, k.AfterSnapshot = []config.Hook{bad, other}, []config.Hook{after}
	k.take(t.Context(), "", "p/db", "p/vm")
	k.is("calls", k.calls(), "before_snapshot ds= all=p/db at=s1")
	k.owesNothing()
}

// A hook that does not end is killed with what it started, and the one after
// it runs.
func TestLimit(t *testing.T) {
	var k *hooked
	for limit := time.Second; limit < 2*time.Minute; limit *= 5 { // it must get as far as to start something
		k = newHooked(t)
		slow, after := k.sh("trap '' TERM; sleep 300 & echo $! >'"+k.dir+"/new' && mv '"+k.dir+"/new' '"+k.dir+"/pid'; wait; sleep 300"), k.sh("")
		slow.Timeout = limit
		k.BeforeSnapshot, k.AfterSnapshot = []config.Hook{slow}, []config.Hook{after}
		_, err := k.take(t.Context(), "", "p/db")
		if want := fmt.Sprintf("not done within %s, and killed", config.FormatDuration(limit)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, not %q", err, want)
		}
		if _, err := os.Stat(k.dir + "/pid"); err == nil {
			break
		}
	}
	k.is("calls", k.calls(), "before_snapshot ds= all=p/db at=s1 \nafter_snapshot ds= all=p/db at=s1 skipped")
	pid, err := os.ReadFile(k.dir + "/pid")
	if err != nil {
		t.Fatal(err)
	}
	for lives := true; lives; time.Sleep(10 * time.Millisecond) {
		_, gone := os.Stat("/proc/" + strings.TrimSpace(string(pid)))
		lives = gone == nil && t.Context().Err() == nil
	}
	k.owesNothing()
}

// A cancelled run ends the hook that runs, and runs those after it.
func TestCancelled(t *testing.T) {
	k := newHooked(t)
	ctx, cancel := context.WithCancel(t.Context())
	k.BeforeSnapshot = []config.Hook{k.sh(": >'" + k.dir + "/there'; exec sleep 300")}
	k.AfterSnapshot = []config.Hook{k.sh("")}
	go func() {
		for {
			if _, err := os.Stat(k.dir + "/there"); err == nil {
				cancel()
				return
			}
			time.Sleep(time.Millisecond)
		}
	}()
	if _, err := k.take(ctx, "", "p/db"); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	k.is("calls", k.calls(), "before_snapshot ds= all=p/db at=s1 \nafter_snapshot ds= all=p/db at=s1 skipped")
	k.owesNothing()
}

// A hook that holds is there while the snapshots are taken, and no longer.
func TestHold(t *testing.T) {
	k := newHooked(t)
	hold := k.sh("echo locked >'" + k.dir + "/lock'; echo hello; echo ready; cat; rm '" + k.dir + "/lock'; echo bye")
	hold.Hold = true
	k.BeforeSnapshot, k.AfterSnapshot = []config.Hook{hold}, []config.Hook{k.sh("")}
	goOn, done, err := k.Around(t.Context(), "s1", []string{"p/db"})
	if _, gone := os.Stat(k.dir + "/lock"); err != nil || gone != nil || len(goOn) != 1 {
		t.Fatal(goOn, err, gone)
	}
	if err := done(map[string]bool{"p/db": true}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(k.dir + "/lock"); err == nil {
		t.Error("it has not ended")
	}
	k.is("said", strings.Join(k.said, "|"), `before_snapshot hook "sh": hello; bye`)
	k.is("calls", k.calls(), "before_snapshot ds= all=p/db at=s1 \nafter_snapshot ds= all=p/db at=s1 taken")
	k.owesNothing()
}

// A hook that holds fails if it is not ready in time, ends too early, or does
// not end; each is told apart.
func TestHoldFails(t *testing.T) {
	for text, want := range map[string]string{
		"exec sleep 300":                "not done within LIMIT, and killed",
		"echo refused >&2; exit 4":      `it ended without printing "ready": exit status 4: refused`,
		"exit 0":                        `it ended without printing "ready"`,
		"echo ready; exit 5":            "it ended before the snapshots were taken",
		"echo ready; cat; exit 6":       `hook "sh" for p/db: exit status 6: the snapshots may not be consistent`,
		"echo ready; exec sleep 300":    "it did not end when its standard input did: not done within LIMIT, and killed",
		"printf '%02048d%s\\n' 0 ready": `it ended without printing "ready"`,
		"echo already; echo ready now":  `it ended without printing "ready": already; ready now`,
	} {
		limit := time.Minute
		if strings.Contains(text, "sleep") {
			limit = time.Second
		}
		err := holdFails(t, text, limit, strings.Contains(want, "ended before"))
		if strings.Contains(text, "ready; exec sleep") && err != nil && !strings.Contains(err.Error(), "did not end when") {
			limit = 10 * time.Second // a busy machine did not get it ready within the second
			err = holdFails(t, text, limit, false)
		}
		want = strings.Replace(want, "LIMIT", config.FormatDuration(limit), 1)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, not %q", text, err, want)
		}
	}
}

// holdFails lets a hook hold that runs text, and takes no snapshot; early waits for
// the hook's end before.
func holdFails(t *testing.T, text string, limit time.Duration, early bool) error {
	k := newHooked(t)
	hold := k.sh(text)
	hold.Hold, hold.Timeout = true, limit
	k.BeforeSnapshot = []config.Hook{hold}
	s := &snapshots{h: k.Hooks, ctx: t.Context(), short: "s1", goOn: []string{"p/db"}, reached: map[string]bool{}}
	err := s.start()
	for _, h := range s.held {
		if early {
			<-h.process.Done()
		}
	}
	return errors.Join(err, s.done(map[string]bool{}))
}

// The hooks of a run: after it, however it ended.
func TestRun(t *testing.T) {
	for _, c := range []struct {
		err    error
		cancel bool
		want   string
	}{
		{nil, false, "ok "},
		{errors.New("peer says:\x1b[2J\nhello\u202e"), false, "failed peer says:[2J; hello"},
		{errors.New("cut off"), true, "stopped cut off"},
	} {
		k := newHooked(t)
		k.Hooks.Hooks.Before = []config.Hook{k.sh("")}
		after := k.sh(`echo "$ZREPL_STATUS $ZREPL_ERROR" >'` + k.dir + `/error'`)
		k.Hooks.Hooks.After = []config.Hook{after}
		t.Setenv("ZREPL_ERROR", "an old one")
		ctx, cancel := context.WithCancel(t.Context())
		if err := k.Before(ctx); err != nil {
			t.Fatal(err)
		}
		if c.cancel {
			cancel()
		}
		if err := k.After(ctx, c.err); err != nil {
			t.Fatal(err)
		}
		cancel()
		text, _ := os.ReadFile(k.dir + "/error")
		k.is("error", strings.TrimSuffix(string(text), "\n"), c.want)
		k.owesNothing()
	}
}

// Output is bounded and harmless.
func TestOutput(t *testing.T) {
	k := newHooked(t)
	k.BeforeSnapshot = []config.Hook{k.sh(`yes x | head -c 300000; printf '\033[2Jend\n'; exit 1`)}
	_, err := k.take(t.Context(), "", "p/db")
	if err == nil || len(err.Error()) > 1200 || strings.ContainsAny(err.Error(), "\x1b\n") {
		t.Errorf("%d bytes: %q", len(err.Error()), err)
	}
}

// A command that cannot be told all of its datasets does not start: its script
// would go through an empty list, and succeed.
func TestTooManyNames(t *testing.T) {
	var many []string
	for i := range 1000 {
		many = append(many, fmt.Sprintf("p/%s%04d", strings.Repeat("x", 80), i))
	}
	k := newHooked(t)
	k.BeforeSnapshot, k.AfterSnapshot = []config.Hook{k.sh("")}, []config.Hook{k.sh("")}
	goOn, err := k.take(t.Context(), "", many...)
	if len(goOn) != 0 || err == nil || !strings.Contains(err.Error(), "each_dataset: true") {
		t.Errorf("%d go on: %v", len(goOn), err)
	}
	k.is("calls", k.calls(), "")
	k.owesNothing()
	k.BeforeSnapshot = nil // what runs after fails alone, and stays noted
	if goOn, err = k.take(t.Context(), "", many...); len(goOn) != len(many) || err == nil {
		t.Errorf("%d go on: %v", len(goOn), err)
	}
	k.AfterSnapshot[0].Datasets = k.filter(map[string]string{many[7]: "ok"})
	if err := k.Recover(t.Context()); err != nil {
		t.Error(err)
	}
	rest := slices.Delete(slices.Clone(many), 7, 8) // these were owed as well, and are told in parts
	part := maxNames / len(rest[0]+",")
	k.is("calls", k.calls(), "after_snapshot ds= all="+many[7]+" at=s1 unknown\n"+
		"after_snapshot ds= all="+strings.Join(rest[:part], ",")+" at=s1 unknown\n"+
		"after_snapshot ds= all="+strings.Join(rest[part:], ",")+" at=s1 unknown")
	k.owesNothing()
}

// A dry run says what would run.
func TestDry(t *testing.T) {
	k := newHooked(t)
	k.DryRun = true
	k.BeforeSnapshot, k.AfterSnapshot = []config.Hook{k.sh("")}, []config.Hook{k.sh("")}
	for _, hook := range []*config.Hook{&k.BeforeSnapshot[0], &k.AfterSnapshot[0]} {
		hook.Command = []string{"psql", "-c", "CHECKPOINT"}
	}
	goOn, done, err := k.Around(t.Context(), "s1", []string{"p/a", "p/b", "p/c", "p/d"})
	if len(goOn) != 4 || done != nil || err != nil || Owes(k.Dir, k.Job) {
		t.Error(goOn, err)
	}
	k.is("said", strings.Join(k.said, "\n"), `would run before_snapshot hook ["psql" "-c" "CHECKPOINT"] for p/a, p/b, p/c and 1 more
would run after_snapshot hook ["psql" "-c" "CHECKPOINT"] for p/a, p/b, p/c and 1 more`)
}
