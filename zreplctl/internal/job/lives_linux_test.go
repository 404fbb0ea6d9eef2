package job

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
)

// TestRecycledNumber: another process that has the number of a killed run
// does not make that run look as if it went on.
func TestRecycledNumber(t *testing.T) {
	at := t.TempDir()
	dir := state.Of(config.Global{StateDir: at, RunDir: at})
	born, known := processBorn(os.Getpid())
	if !known || born == 0 {
		t.Fatal("it is not known when this process began")
	}
	for _, c := range []struct {
		born    uint64
		running bool
	}{{born, true}, {born - 1, false}, {0, true}} {
		note := fmt.Sprintf(`{"pid":%d,"boot":%q,"born":%d}`, os.Getpid(), bootID(), c.born)
		if err := os.WriteFile(filepath.Join(at, "j.begun"), []byte(note), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := beginnerLives(dir, "j"); got != c.running {
			t.Errorf("by the note, began at %d of %d: running %v", c.born, born, got)
		}
		lock := fmt.Appendf(nil, "%d %d\n", os.Getpid(), c.born)
		if err := os.WriteFile(filepath.Join(at, "j.lock"), lock, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, got, err := Begun(dir, at, "j"); got != c.running || err != nil {
			t.Errorf("by the lock, began at %d of %d: running %v, %v", c.born, born, got, err)
		}
	}
	f, err := lock(t.Context(), at, "own")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if text, _ := os.ReadFile(f.Name()); string(text) != fmt.Sprintf("%d %d\n", os.Getpid(), born) {
		t.Errorf("the lock says %q", text)
	}
	begin(dir, "own", "")
	if b := readBegun(dir, "own"); b.Born != born {
		t.Errorf("the note says %+v", b)
	}
}
