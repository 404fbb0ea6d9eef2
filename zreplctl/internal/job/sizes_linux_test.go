package job_test

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestSizes: plan -sizes says how many bytes are sent, over a connection and
// without, and prune -n -sizes how many are freed; neither changes anything.
func TestSizes(t *testing.T) {
	t.Parallel()
	w := ends(t)
	w.configure(strings.Replace(twoEnds, "snapshot_prefix: s\n- name: fetch", "snapshot_prefix: s\n  prune: {keep: [{type: last_n, count: 1}]}\n- name: fetch", 1))
	w.fill("a/x", 3<<20)
	w.fill("a/m", 3<<20)
	w.taken(0, "s1")
	for kind, job := range map[string]string{"pull": "fetch", "local": "mirror"} {
		_, said := w.ctl("plan", "-sizes", job)
		f := strings.Split(strings.Split(said, "\n")[strings.Count(said[:strings.Index(said, "a/")], "\n")], "\t")
		if n, err := strconv.Atoi(f[len(f)-1]); len(f) != 7 || err != nil || n < 3<<20 || n > 4<<20 {
			t.Errorf("%s: %q in %s", kind, f, said)
		}
		if _, said := w.ctl("plan", "-json", "-sizes", job); !strings.Contains(said, `"size":3`) {
			t.Errorf("%s: %s", kind, said)
		}
		if _, said := w.ctl("plan", job); len(strings.Split(strings.Split(said, "\n")[0], "\t")) != 6 {
			t.Errorf("%s: %s", kind, said)
		}
	}
	w.copied()
	if _, said := w.ctl("plan", "-sizes", "fetch"); !strings.Contains(said, "uptodate") || !strings.Contains(said, "\t-\n") {
		t.Error(said)
	}
	names, err := os.ReadDir(strings.TrimSpace(w.must("zfs", "get", "-H", "-o", "value", "mountpoint", "a/x")))
	if err != nil || len(names) == 0 {
		t.Fatal(err)
	}
	w.must("sh", "-c", "rm "+strings.TrimSpace(w.must("zfs", "get", "-H", "-o", "value", "mountpoint", "a/x"))+"/file*")
	w.taken(0, "s2")
	w.taken(0, "s3")
	w.copied()
	before := w.guids("a/x")
	code, said := w.ctl("prune", "-n", "-sizes", "offer")
	found := false
	for line := range strings.Lines(said) {
		if f := strings.Split(strings.TrimSpace(line), "\t"); f[0] == "a/x" && len(f) == 3 {
			n, err := strconv.Atoi(f[2])
			found = f[1] == "2" && err == nil && n >= 3<<20
		}
	}
	if code != 0 || !found {
		t.Errorf("%d, %s", code, said)
	}
	if !slices.Equal(w.guids("a/x"), before) {
		t.Error("something was destroyed")
	}
	if code, _ := w.ctl("prune", "-sizes", "offer"); code != 2 {
		t.Errorf("without -n: %d", code)
	}
}
