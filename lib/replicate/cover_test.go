package replicate

import (
	"errors"
	"fmt"
	"maps"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/progress"
)

// list is what a job keeps from one run to the next.
type list struct {
	sources map[string]string
	whole   bool
}

// run does a run with the list, and returns how each target ended.
func (l *list) run(t *testing.T, from, to *host, thorough bool) (map[string]string, error) {
	t.Helper()
	tracker := &progress.Tracker{}
	j := &Job{Sender: sender{from}, Receiver: to, Parallel: 2, Thorough: thorough, Tracker: tracker,
		Covered: maps.Clone(l.sources), Unlisted: !l.whole}
	looked := j.Unlisted
	j.Cover = func(fresh map[string]string, stale []string) {
		if l.sources == nil {
			l.sources = map[string]string{}
		}
		for _, name := range stale {
			delete(l.sources, name)
		}
		maps.Copy(l.sources, fresh)
		l.whole = l.whole || looked
	}
	err := j.Run(t.Context())
	ended := map[string]string{}
	for _, d := range tracker.Snapshot().Datasets {
		ended[d.Target] = d.Reason
	}
	return ended, err
}

// TestCovered: a copy whose source is not offered is reported in every run,
// quick or thorough: if it was made by hand, is lost, or bears thousands of
// snapshots of others; with the list, or with the holds alone.
func TestCovered(t *testing.T) {
	const target = "pool/to/a"
	for what, change := range map[string]func(to *host, l *list){
		"nothing":     func(*host, *list) {},
		"holds gone":  func(to *host, _ *list) { clear(to.datasets[target].held) },
		"list lost":   func(_ *host, l *list) { *l = list{} },
		"copy lost":   func(to *host, _ *list) { delete(to.datasets, target) },
		"placeholder": func(to *host, _ *list) { to.add(target); to.datasets[target].placeholder = true },
	} {
		for _, many := range []int{0, 9, 2000} {
			from, to := newHost(t, 1), newHost(t, 2)
			to.other = from
			for _, name := range []string{"a", "a/b", "b"} {
				from.add(name)
				from.snapshot(name, "s1")
			}
			to.add(target) // by hand
			to.datasets[target].versions = append(to.datasets[target].versions, from.datasets["a"].versions...)
			var l list
			if _, err := l.run(t, from, to, true); err != nil {
				t.Fatal(err)
			}
			to.txg += 1000
			for i := range many {
				to.snapshot(target, fmt.Sprint("auto", i))
			}
			delete(from.datasets, "a")
			change(to, &l)
			for n := range 4 {
				if ended, err := l.run(t, from, to, n == 2); !errors.Is(err, ErrIncomplete) || ended[target] != "not-offered" || len(ended) != 3 {
					t.Errorf("%s, %d snapshots, run %d: %v, %v", what, many, n, err, ended)
				}
			}
			plain := &Job{Sender: sender{from}, Receiver: to, Covered: l.sources, Unlisted: !l.whole}
			left, targets, err := plain.Forget(t.Context(), []string{"a"}, false)
			if what == "list lost" { // by its source it is not known
				left, targets, err = plain.Forget(t.Context(), []string{target}, false)
			}
			if err != nil || len(targets) != 1 || targets[0] != target || len(left) > 1 {
				t.Fatalf("%s: forget: %v, %v, %v", what, left, targets, err)
			}
			delete(l.sources, target)
			for n := range 2 {
				if ended, err := l.run(t, from, to, n == 1); err != nil || ended[target] != "" {
					t.Errorf("%s, forgotten: %v, %v", what, err, ended)
				}
			}
		}
	}
}

// TestCoveredUnseen: a run that could not look says nothing about the list, and
// a sender that hides everything takes nothing out of it.
func TestCoveredUnseen(t *testing.T) {
	from, to := newHost(t, 1), newHost(t, 2)
	to.other = from
	from.add("a")
	from.snapshot("a", "s1")
	var l list
	from.trouble = 1
	if _, err := l.run(t, from, to, false); err == nil || l.whole || len(l.sources) > 0 {
		t.Fatal(err, l)
	}
	from.trouble = 0
	if _, err := l.run(t, from, to, false); err != nil || !l.whole || l.sources["pool/to/a"] != "a" {
		t.Fatal(err, l)
	}
	delete(from.datasets, "a")
	if _, err := l.run(t, from, to, false); err == nil || l.sources["pool/to/a"] != "a" {
		t.Fatal(err, l)
	}
}
