package hook

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
)

// What a killed run left is run by the next one, with the configuration of
// now; what fails stays noted.
func TestRecover(t *testing.T) {
	k := newHooked(t)
	k.BeforeSnapshot = []config.Hook{k.sh("")}
	k.Hooks.Hooks.Before = []config.Hook{k.sh("")}
	bad := k.sh("exit 1")
	k.AfterSnapshot, k.Hooks.Hooks.After = []config.Hook{bad}, []config.Hook{k.sh("")}
	if err := k.Before(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, _, err := k.Around(t.Context(), "s1", []string{"p/db", "p/x"}); err != nil { // and then it is killed
		t.Fatal(err)
	}
	k.calls()
	if !Owes(k.Dir, k.Job) {
		t.Fatal("nothing is noted")
	}
	if err := k.Recover(t.Context()); err == nil || !strings.Contains(err.Error(), `cannot run after_snapshot hook "sh" for p/db, p/x, which an earlier run left: exit status 1`) {
		t.Error(err)
	}
	k.is("calls", k.calls(), "after_snapshot ds= all=p/db,p/x at=s1 unknown\nafter ds= all= at= unknown")
	k.AfterSnapshot = []config.Hook{k.sh("")}
	if err := k.Recover(t.Context()); err != nil {
		t.Error(err)
	}
	k.is("calls", k.calls(), "after_snapshot ds= all=p/db,p/x at=s1 unknown")
	k.owesNothing()
	if err := k.Recover(t.Context()); err != nil || k.calls() != "" {
		t.Error("once more:", err)
	}
}

// A damaged note is a failure once, and everything runs that it may have named.
func TestRecoverDamaged(t *testing.T) {
	k := newHooked(t)
	k.AfterSnapshot, k.Hooks.Hooks.After = []config.Hook{k.sh("")}, []config.Hook{k.sh("")}
	k.Datasets = func(context.Context) ([]string, error) { return []string{"p/db", "p/x"}, nil }
	if err := k.Dir.Write(owedName(k.Job), []byte("{")); err != nil {
		t.Fatal(err)
	}
	if err := k.Recover(t.Context()); err == nil || !strings.Contains(err.Error(), "cannot read which hooks are to run still") {
		t.Error(err)
	}
	k.is("calls", k.calls(), "after_snapshot ds= all=p/db,p/x at= unknown\nafter ds= all= at= unknown")
	k.owesNothing()
	if err := k.Recover(t.Context()); err != nil || k.calls() != "" {
		t.Error("once more:", err)
	}
}

// killed leaves a note as a run of these hooks that was killed between its snapshots and the end.
func (k *hooked) killed(datasets ...string) {
	k.t.Helper()
	if err := k.Before(k.t.Context()); err != nil {
		k.t.Fatal(err)
	}
	if _, _, err := k.Around(k.t.Context(), "s1", datasets); err != nil {
		k.t.Fatal(err)
	}
	k.calls()
}

// now are the hooks of the configuration of now.
func (k *hooked) now(afterSnapshot, after []config.Hook) {
	k.AfterSnapshot, k.Hooks.Hooks.After = afterSnapshot, after
}

// Hooks that the job does not have any more run as the note has them, until they
// succeed.
func TestRecoverRemoved(t *testing.T) {
	k := newHooked(t)
	thaw, unlock, run := k.sh("# thaw"), k.sh("# unlock"), k.sh("# run")
	thaw.Each, thaw.Datasets = true, k.filter(map[string]string{"p/vm<": "ok"})
	run.OnFailure = config.Abort
	k.now([]config.Hook{thaw, unlock}, []config.Hook{run})
	k.killed("p/db", "p/vm/one", "p/vm/two")
	info, err := os.Stat(k.Dir.Path(owedName(k.Job)))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Error("the note can be read by others:", info, err)
	}
	k.now([]config.Hook{unlock}, nil)
	if err := k.Recover(t.Context()); err != nil {
		t.Error(err)
	}
	k.is("calls", k.calls(), `after_snapshot ds= all=p/db,p/vm/one,p/vm/two at=s1 unknown
after_snapshot ds=p/vm/one all=p/vm/one at=s1 unknown
after_snapshot ds=p/vm/two all=p/vm/two at=s1 unknown
after ds= all= at= unknown`)
	if said := strings.Join(k.said, "|"); !strings.Contains(said, "that the job does not have any more, and it runs now: ") || !strings.Contains(said, "# thaw") {
		t.Error(said)
	}
	k.owesNothing()
}

// One that fails is tried by every run, does not end it, and runs are not well
// until a person acts.
func TestRecoverRemovedFails(t *testing.T) {
	k := newHooked(t)
	bad := k.sh("exit 1")
	bad.OnFailure = config.Abort
	k.now([]config.Hook{bad}, []config.Hook{bad})
	k.killed("p/db")
	fine := k.sh("")
	fine.Datasets = k.filter(map[string]string{"p/x": "ok"})
	for range 3 {
		k.now(nil, nil)
		if err := k.Recover(t.Context()); err == nil || Aborts(err) || !strings.Contains(err.Error(), `cannot run after_snapshot hook "sh" for p/db, which an earlier run left: exit status 1`) {
			t.Error(err)
		}
		k.is("calls", k.calls(), "after_snapshot ds= all=p/db at=s1 unknown\nafter ds= all= at= unknown")
		k.now([]config.Hook{fine}, []config.Hook{fine}) // what comes later has nothing to do with it
		k.killed("p/db", "p/x")
		if err := k.Recover(t.Context()); err == nil || Aborts(err) {
			t.Error(err)
		}
		k.is("calls", k.calls(), `after_snapshot ds= all=p/x at=s1 unknown
after ds= all= at= unknown
after_snapshot ds= all=p/db at=s1 unknown
after ds= all= at= unknown`)
	}
	if said := strings.Join(k.said, "|"); !strings.Contains(said, "to give them up, remove") {
		t.Error(said)
	}
	k.Gone = func(context.Context, []string) ([]string, error) { return []string{"p/db"}, nil }
	k.Recover(t.Context())
	k.calls()
	if k.Recover(t.Context()); k.calls() != "after ds= all= at= unknown" {
		t.Error("a dataset that is gone")
	}
}

// A hook that was changed counts as what it is now, from then on.
func TestRecoverChanged(t *testing.T) {
	k := newHooked(t)
	k.now([]config.Hook{k.sh("exit 1")}, []config.Hook{k.sh("exit 1")})
	k.killed("p/db")
	k.now([]config.Hook{k.sh("exit 2")}, []config.Hook{k.sh("exit 2")})
	if err := k.Recover(t.Context()); err == nil || strings.Contains(err.Error(), "exit status 1") {
		t.Error(err)
	}
	k.calls()
	if said := strings.Join(k.said, "|"); strings.Count(said, "was changed: ") != 2 || !strings.Contains(said, `exit 1"] does not run any more`) {
		t.Error(said)
	}
	k.now([]config.Hook{k.sh("")}, []config.Hook{k.sh("")})
	if err := k.Recover(t.Context()); err != nil {
		t.Error(err)
	}
	k.is("calls", k.calls(), "after_snapshot ds= all=p/db at=s1 unknown\nafter ds= all= at= unknown")
	k.owesNothing()
}

// Another's text names no commands.
func TestRecoverDistrusted(t *testing.T) {
	k := newHooked(t)
	k.now([]config.Hook{k.sh("")}, nil)
	k.killed("p/db")
	if err := os.Chmod(k.Dir.Path(owedName(k.Job)), 0o666); err != nil {
		t.Fatal(err)
	}
	k.now(nil, nil)
	if err := k.Recover(t.Context()); err == nil || !strings.Contains(err.Error(), "others can write it") {
		t.Error(err)
	}
	k.is("calls", k.calls(), "")
	if err := k.Recover(t.Context()); err == nil || !strings.Contains(err.Error(), "not known what they run: after_snapshot for p/db") {
		t.Error("later:", err)
	}
	k.is("calls", k.calls(), "")
}

// What was noted by an earlier version, and what no hook is for, stays noted: a
// person must act.
func TestRecoverMissing(t *testing.T) {
	k := newHooked(t)
	k.AfterSnapshot = []config.Hook{k.sh("")}
	k.AfterSnapshot[0].Datasets = k.filter(map[string]string{"p/db": "ok"})
	k.Gone = func(_ context.Context, asked []string) ([]string, error) { return []string{"p/old"}, nil }
	if err := k.Dir.Write(owedName(k.Job), []byte(`{"run":true,"snapshot":"s1","datasets":["p/db","p/old","p/vm"]}`)); err != nil {
		t.Fatal(err)
	}
	for _, calls := range []string{"after_snapshot ds= all=p/db at=s1 unknown", ""} {
		if err := k.Recover(t.Context()); err == nil || Aborts(err) || !strings.Contains(err.Error(), "not known what they run: after_snapshot for p/vm\n") || !strings.HasSuffix(err.Error(), "what they run: after") {
			t.Error(err)
		}
		k.is("calls", k.calls(), calls)
	}
	all := k.sh("")
	k.now([]config.Hook{all}, []config.Hook{all})
	if err := k.Recover(t.Context()); err != nil {
		t.Error(err)
	}
	k.is("known by now", k.calls(), "after_snapshot ds= all=p/vm at=s1 unknown\nafter ds= all= at= unknown")
	k.owesNothing()
}

// What a removed job left is shown.
func TestLeft(t *testing.T) {
	k := newHooked(t)
	thaw, start := k.sh(""), k.sh("")
	thaw.Command, start.Command = []string{"thaw", "a b"}, []string{"start"}
	k.now([]config.Hook{thaw}, []config.Hook{start})
	k.killed("p/db")
	k.is("commands", fmt.Sprintf("%q", Left(k.Dir, k.Job)), `[["thaw" "a b"] ["start"]]`)
	k.is("none", fmt.Sprintf("%q", Left(k.Dir, "other")), "[]")
}

// The notes of jobs that are removed or renamed are found.
func TestOrphans(t *testing.T) {
	k := newHooked(t)
	if got := Orphans(k.Dir, nil); len(got) != 0 {
		t.Error(got)
	}
	for _, name := range []string{"db.hooks", "old.hooks", "old.hooks.new", "x.schedule"} {
		if err := os.MkdirAll(filepath.Dir(k.Dir.Path(name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(k.Dir.Path(name), []byte(`{"run":true}`), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	k.is("orphans", strings.Join(Orphans(k.Dir, []*config.Job{{Name: "db"}}), " "), "old")
}

// A dataset that is gone does not make every later run fail.
func TestRecoverGone(t *testing.T) {
	k := newHooked(t)
	k.AfterSnapshot = []config.Hook{k.sh(`[ "$ZREPL_DATASET" = p/x ]`)}
	k.AfterSnapshot[0].Each = true
	k.Gone = func(_ context.Context, asked []string) ([]string, error) {
		k.is("asked", strings.Join(asked, " "), "p/db p/vm")
		return []string{"p/vm"}, nil
	}
	note := `{"snapshot":"s1","datasets":["p/db","p/vm","p/x"]}`
	if err := k.Dir.Write(owedName(k.Job), []byte(note)); err != nil {
		t.Fatal(err)
	}
	if err := k.Recover(t.Context()); err == nil {
		t.Error("nothing failed")
	}
	o, err := k.owes()
	k.is("noted", strings.Join(o.Datasets, " ")+errText(err), "p/db")
	if said := strings.Join(k.said, "|"); !strings.Contains(said, "failed for p/vm, which does not exist any more") {
		t.Error(said)
	}
}

// If the datasets of a damaged note cannot be listed, the next run tries again.
func TestRecoverUnlisted(t *testing.T) {
	k := newHooked(t)
	k.AfterSnapshot = []config.Hook{k.sh("")}
	k.Datasets = func(context.Context) ([]string, error) { return nil, errors.New("no zfs") }
	if err := k.Dir.Write(owedName(k.Job), []byte("{")); err != nil {
		t.Fatal(err)
	}
	if err := k.Recover(t.Context()); !Aborts(err) || !Owes(k.Dir, k.Job) {
		t.Error(err, Owes(k.Dir, k.Job))
	}
}

// A note that cannot be read now may be good: it stays, and nothing is stopped.
func TestRecoverUnread(t *testing.T) {
	k := newHooked(t)
	k.Hooks.Hooks.Before, k.Hooks.Hooks.After = []config.Hook{k.sh("")}, []config.Hook{k.sh("")}
	path := k.Dir.Path(owedName(k.Job))
	if err := os.MkdirAll(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := k.Recover(t.Context()); !Aborts(err) {
		t.Error(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
	if err := k.Before(t.Context()); !Aborts(err) || k.calls() != "" {
		t.Error(err)
	}
}

// What a run has started it ends, whatever became of the note meanwhile.
func TestNoteLost(t *testing.T) {
	for what, spoil := range map[string]func(k *hooked) error{
		"removed": func(k *hooked) error { return os.RemoveAll(filepath.Join(k.dir, "state")) },
		"damaged": func(k *hooked) error { return os.WriteFile(k.Dir.Path(owedName(k.Job)), []byte("{"), 0o600) },
	} {
		k := newHooked(t)
		k.Hooks.Hooks.Before, k.Hooks.Hooks.After = []config.Hook{k.sh("")}, []config.Hook{k.sh("")}
		if err := k.Before(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := spoil(k); err != nil {
			t.Fatal(err)
		}
		if err := k.After(t.Context(), nil); (err != nil) != (what == "damaged") {
			t.Error(what, err)
		}
		k.is(what, k.calls(), "before ds= all= at= \nafter ds= all= at= ok")
	}
}

// Without a note nothing is stopped that nobody would start again.
func TestUnnoted(t *testing.T) {
	k := newHooked(t)
	k.BeforeSnapshot, k.AfterSnapshot = []config.Hook{k.sh("")}, []config.Hook{k.sh("")}
	if err := os.MkdirAll(k.Dir.Path(owedName(k.Job)+".new"), 0o700); err != nil { // it cannot be written
		t.Fatal(err)
	}
	goOn, err := k.take(t.Context(), "", "p/db")
	if len(goOn) != 0 || err == nil || !strings.Contains(err.Error(), "cannot note which hooks are to run") {
		t.Errorf("%v, %v", goOn, err)
	}
	k.is("calls", k.calls(), "")
}
