package hook

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
)

// A full disk keeps nothing from running that is due: also with hooks that were
// edited or removed meanwhile, which changes the note.
func TestRecoverFullDisk(t *testing.T) {
	k := newHooked(t)
	thaw, start := k.sh(""), k.sh("")
	k.now([]config.Hook{thaw}, []config.Hook{start})
	k.killed("p/db")
	full := k.Dir.Path(owedName(k.Job)) + ".new"
	if err := os.Mkdir(full, 0o700); err != nil { // it cannot be written
		t.Fatal(err)
	}
	both := "after ds= all= at= unknown\nafter_snapshot ds= all=p/db at=s1 unknown"
	start.Timeout = time.Hour
	thaw.Command = []string{"false"}
	k.now([]config.Hook{thaw}, []config.Hook{start})
	for range 2 {
		err := k.Recover(t.Context())
		if !Aborts(err) || strings.Count(err.Error(), "cannot note which hooks are to run: ") != 1 || !strings.Contains(err.Error(), `cannot run after_snapshot hook "false"`) {
			t.Error(err)
		}
		k.is("one fails", k.calls(), both)
	}
	k.now(nil, []config.Hook{start})
	if err := k.Recover(t.Context()); err == nil || Aborts(err) || !strings.Contains(err.Error(), "cannot note which hooks are to run: ") {
		t.Error("all is well but the note:", err)
	}
	k.is("all succeed", k.calls(), both)
	k.owesNothing()
}

// So with a note that is damaged, which stays as it is until all has run.
func TestRecoverDamagedFullDisk(t *testing.T) {
	k := newHooked(t)
	k.now([]config.Hook{k.sh("exit 1")}, []config.Hook{k.sh("")})
	k.Datasets = func(context.Context) ([]string, error) { return []string{"p/db"}, nil }
	if err := k.Dir.Write(owedName(k.Job), []byte("{")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(k.Dir.Path(owedName(k.Job))+".new", 0o700); err != nil {
		t.Fatal(err)
	}
	both := "after_snapshot ds= all=p/db at= unknown\nafter ds= all= at= unknown"
	if err := k.Recover(t.Context()); !Aborts(err) {
		t.Error(err)
	}
	k.is("one fails", k.calls(), both)
	k.now([]config.Hook{k.sh("")}, []config.Hook{k.sh("")})
	if err := k.Recover(t.Context()); err == nil || Aborts(err) {
		t.Error(err)
	}
	k.is("all succeed", k.calls(), both)
	k.owesNothing()
}

// A damaged note that can name nothing does not stay in the way.
func TestRecoverDamagedNothing(t *testing.T) {
	k := newHooked(t)
	k.now([]config.Hook{k.sh("")}, nil)
	k.Datasets = func(context.Context) ([]string, error) { return nil, nil }
	if err := k.Dir.Write(owedName(k.Job), []byte("{")); err != nil {
		t.Fatal(err)
	}
	if err := k.Recover(t.Context()); err == nil || Aborts(err) {
		t.Error(err)
	}
	k.owesNothing()
}
