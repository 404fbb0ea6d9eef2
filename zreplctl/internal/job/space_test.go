package job_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// noise writes bytes that no compression makes smaller.
func (w *world) noise(ds, name string, n int) {
	w.t.Helper()
	dir := strings.TrimSpace(w.must("zfs", "get", "-H", "-o", "value", "mountpoint", ds))
	data, rng := make([]byte, n), rand.New(rand.NewPCG(uint64(n), 7))
	for i := range data {
		data[i] = byte(rng.Uint32())
	}
	if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// A stream that is too big for its target's pool stops none of the others; what
// arrived of it does not keep the space, and a smaller snapshot that comes
// later is taken.
func TestTooBig(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.write("small.img", "")
	if err := os.Truncate(w.path("small.img"), 80<<20); err != nil {
		t.Fatal(err)
	}
	w.must("zpool", "create", "-R", w.path("mnt"), "small", w.path("small.img"))
	w.extend(`- {name: tight, type: local, mapping: {"a<": small/a}, snapshot_prefix: s}
`)
	w.must("zfs", "create", "a/big")
	w.noise("a/big", "f", 100<<20)
	w.must("zfs", "snapshot", "-r", "a@s1")
	for _, ds := range []string{"a/m", "a/z"} {
		w.must("zfs", "create", ds)
		w.noise(ds, "f", 12<<20)
	}
	w.must("zfs", "snapshot", "-r", "a@s2")
	for i := range 3 {
		code, said := w.ctl("local", "-skip", "snapshot,prune", "tight")
		t.Logf("%d %s", code, said)
		if code != 1 || !strings.Contains(said, `"small/a/big": no-space: `) || !strings.Contains(said, "B are to come, and the target has room for ") {
			t.Errorf("run %d: exit status %d", i, code)
		}
		w.same("a/m", "small/a/m")
		w.same("a/z", "small/a/z")
		if out, err := w.command("zfs", "list", "-H", "small/a/big").Output(); err == nil {
			t.Errorf("run %d: what arrived stands there: %s", i, out)
		}
		for _, ds := range []string{"a/m", "a/z"} {
			w.noise(ds, fmt.Sprintf("g%d", i), 1<<20)
			w.must("zfs", "snapshot", fmt.Sprintf("%s@s3%d", ds, i))
		}
	}
	if err := os.Remove(strings.TrimSpace(w.must("zfs", "get", "-H", "-o", "value", "mountpoint", "a/big")) + "/f"); err != nil {
		t.Fatal(err)
	}
	w.noise("a/big", "f", 1<<20)
	w.must("zfs", "snapshot", "a/big@s4")
	w.done("local", "tight")
}
