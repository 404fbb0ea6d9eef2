package live

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/zrepl-tools/zrepl-tools/lib/progress"
)

var start = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// many is a run over n datasets, of which one failed and four are sent.
func many(n int, sent uint64) (s progress.Snapshot) {
	for i := range n {
		d := progress.Dataset{Source: fmt.Sprintf("tank/vm/%03d", i), Target: fmt.Sprintf("b/tank/vm/%03d", i), State: progress.Waiting, Steps: 1, Size: 100 << 20}
		switch {
		case i == 7:
			d.State, d.Reason, d.Error, d.Size = progress.Failed, "modified", strings.Repeat("very long ", 30), 0
		case i > 3 && i < 9:
			d.State, d.Bytes = progress.Sending, sent
			s.Bytes += sent
		}
		s.Datasets = append(s.Datasets, d)
	}
	return s
}

// TestFits: whatever the screen, no line is wider and there are no more lines;
// what is wrong comes first and what is left out is counted.
func TestFits(t *testing.T) {
	var v View
	v.Add(start, many(300, 10<<20))
	v.Add(start.Add(5*time.Second), many(300, 60<<20))
	for _, width := range []int{20, 40, 80, 200} {
		for _, height := range []int{1, 2, 3, 10, 24, 400} {
			for _, waiting := range []bool{false, true} {
				lines := v.Lines(width, height, waiting)
				if len(lines) > height {
					t.Errorf("%dx%d: %d lines", width, height, len(lines))
				}
				for _, l := range lines {
					if utf8.RuneCountInString(l.Text) > width {
						t.Errorf("%dx%d: %q", width, height, l.Text)
					}
				}
			}
		}
	}
	lines := v.Lines(80, 6, false)
	want := []string{"1 of 300 datasets  ", "tank/vm/007  failed: modified: very long", "tank/vm/004  [#########......]  60%  60.0 MiB of 100.0 MiB  10.0 MiB/s  4s left",
		"tank/vm/005", "tank/vm/006", "… and 296 more: 1 sending, 295 waiting"}
	for i, w := range want {
		if i >= len(lines) || !strings.HasPrefix(lines[i].Text, w) {
			t.Errorf("%d: want %q in %v", i, w, lines)
		}
	}
	if lines[1].Style != Bad {
		t.Error("what failed does not stand out")
	}
}

// TestUnknown: without a size there is no bar, no percent and no time left, and
// a size that was too small is not exceeded.
func TestUnknown(t *testing.T) {
	s := progress.Snapshot{Bytes: 5 << 20, Datasets: []progress.Dataset{{Source: "a/x", Target: "b/x", State: progress.Sending, Steps: 1, Bytes: 5 << 20}}}
	var v View
	v.Add(start, progress.Snapshot{Datasets: []progress.Dataset{{Source: "a/x", Target: "b/x", State: progress.Sending, Steps: 1}}})
	v.Add(start.Add(time.Second), s)
	for _, l := range v.Lines(80, 24, false) {
		if strings.ContainsAny(l.Text, "%[") || strings.Contains(l.Text, "left") || !strings.Contains(l.Text, "5.0 MiB/s") {
			t.Errorf("%q", l.Text)
		}
	}
	s.Datasets[0].Size = 1 << 20
	v.Add(start.Add(2*time.Second), s)
	for _, l := range v.Lines(80, 24, false) {
		if !strings.Contains(l.Text, "100%  5.0 MiB of 5.0 MiB") {
			t.Errorf("%q", l.Text)
		}
	}
}

// TestTimeLeft: at an even rate, the time left after a fifth is the truth.
func TestTimeLeft(t *testing.T) {
	var v View
	for i := range 21 {
		bytes := uint64(i) << 20
		v.Add(start.Add(time.Duration(i)*time.Second), progress.Snapshot{Bytes: bytes,
			Datasets: []progress.Dataset{{Source: "a/x", Target: "b/x", State: progress.Sending, Steps: 1, Bytes: bytes, Size: 100 << 20}}})
	}
	if text := v.Lines(80, 24, false)[1].Text; !strings.HasSuffix(text, "1.0 MiB/s  1m20s left") {
		t.Error(text)
	}
}

// What compression gains is shown, in rows and in the whole.
func TestGain(t *testing.T) {
	s := many(5, 60<<20)
	s.Datasets[4].Saved, s.Saved = 40<<20, 40<<20
	var v View
	v.Add(start, s)
	lines := v.Lines(100, 6, false)
	if row := lines[1].Text; !strings.HasSuffix(row, "60.0 MiB of 100.0 MiB  3.0x") {
		t.Errorf("%q", row)
	}
	if whole := lines[0].Text; !strings.HasSuffix(whole, "  3.0x") {
		t.Errorf("%q", whole)
	}
	if got, want := Summary(s, time.Minute), "moved 0 snapshots, 60.0 MiB (compressed 3.0x), of 1 dataset in 1m00s"; !strings.HasPrefix(got, want) {
		t.Errorf("%q, not %q", got, want)
	}
	for _, saved := range []int64{0, 60 << 20, 61 << 20} { // nothing is known, or nonsense
		if got := Gain(60<<20, saved); got != "" {
			t.Errorf("%d saved: %q", saved, got)
		}
	}
	if got := Gain(60<<20, -1000); got != "1.0x" {
		t.Error(got)
	}
}

func TestSummary(t *testing.T) {
	s := progress.Snapshot{Bytes: 3 << 30, Datasets: []progress.Dataset{{State: progress.Done, Bytes: 3 << 30, Moved: 12}, {Source: "a/x", State: progress.UpToDate}, {State: progress.Failed}}}
	if got, want := Summary(s, 83*time.Second), "moved 12 snapshots, 3.0 GiB, of 1 dataset in 1m23s; 1 up to date; 1 not replicated"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
