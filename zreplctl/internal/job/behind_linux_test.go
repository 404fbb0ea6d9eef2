package job_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// behindBytes is what status -json says of a job, and of its only dataset with
// that source.
func (w *world) behindBytes(name, ds string) (of, all *uint64) {
	w.t.Helper()
	var s struct {
		Health struct {
			Jobs []struct {
				Bytes    *uint64 `json:"behind_bytes"`
				Datasets []struct {
					Source string
					Bytes  *uint64 `json:"behind_bytes"`
				}
			}
		}
	}
	code, text := w.ctl("status", "-json", name)
	if err := json.Unmarshal([]byte(text), &s); err != nil || code != 0 || len(s.Health.Jobs) != 1 {
		w.t.Fatalf("%d, %v: %s", code, err, text)
	}
	for _, d := range s.Health.Jobs[0].Datasets {
		if d.Source == ds {
			of = d.Bytes
		}
	}
	return of, s.Health.Jobs[0].Bytes
}

// written is what ZFS says that a snapshot has more than the one before.
func (w *world) written(snapshots ...string) (sum uint64) {
	w.t.Helper()
	for _, name := range snapshots {
		n, err := strconv.ParseUint(strings.TrimSpace(w.must("zfs", "list", "-Hp", "-t", "snapshot", "-o", "written", name)), 10, 64)
		if err != nil {
			w.t.Fatal(err)
		}
		sum += n
	}
	return sum
}

// TestBehindBytes: where the source is, each face says about how much the copies
// lack, as ZFS has it now, without a further command once that is noted.
func TestBehindBytes(t *testing.T) {
	t.Parallel()
	w := ends(t)
	w.taken(time.Hour, "s1")
	w.copied()
	for _, name := range []string{"offer", "mirror"} {
		if of, all := w.behindBytes(name, map[string]string{"offer": "a/x", "mirror": "a/m"}[name]); of == nil || *of != 0 || all == nil || *all != 0 {
			t.Errorf("%s, of which nothing is behind: %v, %v", name, of, all)
		}
	}
	mnt := strings.TrimSpace(w.must("zfs", "get", "-H", "-o", "value", "mountpoint", "a/m"))
	for i, name := range []string{"s2", "s3"} {
		if err := os.WriteFile(mnt+"/"+name, make([]byte, 100_000*(i+1)), 0o600); err != nil {
			t.Fatal(err)
		}
		w.taken(time.Minute, name)
	}
	want := w.written("a/m@s2", "a/m@s3")
	if want < 300_000 {
		t.Fatalf("only %d bytes were written", want)
	}
	for _, what := range []string{"at first", "from the note"} {
		if of, all := w.behindBytes("mirror", "a/m"); of == nil || *of != want || all == nil || *all != want {
			t.Errorf("%s: %v, %v; want %d", what, of, all, want)
		}
	}
	if _, text := w.ctl("status", "-v", "mirror"); strings.Count(text, "\t2 behind (") != 2 {
		t.Errorf("status: %s", text)
	}
	if _, text := w.ctl("metrics"); !strings.Contains(text, fmt.Sprintf(`zreplctl_job_behind_bytes{backup_job="mirror",type="local"} %d`, want)) {
		t.Errorf("metrics: %s", text)
	}
	if _, text := w.ctl("report"); !strings.Contains(text, "2 snapshots behind (") {
		t.Errorf("report: %s", text)
	}
	if _, text := w.ctl("monitor", "mirror"); !strings.Contains(text, fmt.Sprintf("'mirror_behind_bytes'=%dB", want)) {
		t.Errorf("monitor: %s", text)
	}
	// What a destroyed snapshot held is in the next one now: the note is old.
	w.must("zfs", "destroy", "a/m@s2")
	want = w.written("a/m@s3")
	if of, _ := w.behindBytes("mirror", "a/m"); of == nil || *of != want {
		t.Errorf("after s2 was destroyed: %v, want %d", of, want)
	}
}
