package replicate

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/plan"
	"github.com/zrepl-tools/zrepl-tools/lib/progress"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// telling is a sender that tells a property of each dataset.
type telling struct {
	sender
	value  map[string]string
	untold []string
}

func (s telling) List(ctx context.Context, in transfer.ListRequest) ([]transfer.Dataset, error) {
	list, err := s.sender.List(ctx, in)
	for i, d := range list {
		if v := s.value[d.Name]; v != "" {
			list[i].Told = transfer.Properties{Set: map[string]string{"u:x": v}, Sum: "sum of " + v, Untold: s.untold}
		}
	}
	return list, err
}

// taking is a receiver that takes properties, or none.
type taking struct {
	*host
	settled  map[string]string
	problems transfer.Problems
	asked    []string
	err      error
}

func (r *taking) List(ctx context.Context, in transfer.ListRequest) ([]transfer.Dataset, error) {
	list, err := r.host.List(ctx, in)
	for i, d := range list {
		list[i].Copy, list[i].Settled = !d.Placeholder && !d.Above, r.settled[d.Name]
	}
	return list, err
}

func (r *taking) Apply(_ context.Context, in []transfer.Settings) (transfer.Applied, error) {
	out := transfer.Applied{Problems: r.problems, Left: map[string]string{}}
	for _, s := range in {
		r.asked = append(r.asked, s.Dataset)
		if r.problems[s.Dataset].Err() == nil && r.err == nil {
			r.settled[s.Dataset] = s.Told.Sum
		}
		out.Left[s.Dataset] = "u:left"
	}
	return out, r.err
}

func TestApply(t *testing.T) {
	from, to := newHost(t, 1), newHost(t, 2)
	to.other = from
	names := []string{"a", "a/b", "e"}
	for _, n := range names {
		from.add(n)
		from.snapshot(n, "s0")
	}
	s := telling{sender{from}, map[string]string{"a": "1", "a/b": "1"}, []string{"u:broken"}}
	r := &taking{host: to, settled: map[string]string{}}
	var said []string
	var tracker *progress.Tracker
	run := func() error {
		r.asked, said, tracker = nil, nil, &progress.Tracker{}
		j := &Job{Sender: s, Receiver: r, Parallel: 2, Delay: time.Microsecond, Retries: 1, Policy: plan.Policy{}, Tracker: tracker,
			Say: func(text string) { said = append(said, text) }}
		return j.Run(t.Context())
	}
	asked := func(want ...string) {
		t.Helper()
		slices.Sort(r.asked)
		if !slices.Equal(r.asked, want) {
			t.Errorf("asked about %q, not %q", r.asked, want)
		}
	}
	failed := func() (all []string) {
		for _, d := range tracker.Snapshot().Datasets {
			if d.State == progress.Failed {
				all = append(all, d.Target+": "+d.Error)
			}
		}
		return all
	}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Errorf("%v %q", err, failed())
		}
	}
	check(run())
	asked("pool/to/a", "pool/to/a/b") // of what just came; e tells nothing
	if text := strings.Join(said, "\n"); strings.Count(text, `property "u:broken" of "a" (and of 1 more) is left out`) != 1 || !strings.Contains(text, `left as they were set at "pool/to/a"`) {
		t.Errorf("said %q", said)
	}
	check(run())
	asked()
	s.value["a"] = "2"
	check(run())
	asked("pool/to/a")
	s.value = map[string]string{"a": "3", "a/b": "3", "e": "3"}
	r.problems = transfer.Problems{"pool/to/a": {Text: "cannot set"}, "pool/to/other": {Text: "is no concern"}}
	if err := run(); !errors.Is(err, ErrIncomplete) || len(failed()) != 1 || failed()[0] != "pool/to/a: cannot set" {
		t.Errorf("%v %q", err, failed())
	}
	asked("pool/to/a", "pool/to/a/b", "pool/to/e")
	r.problems = nil
	r.err = errors.New("refused")
	if err := run(); !errors.Is(err, ErrIncomplete) || len(failed()) != 1 {
		t.Errorf("%v %q", err, failed())
	}
	r.err = &transfer.LinkError{Err: errors.New("lost")}
	if err := run(); !errors.As(err, new(*transfer.LinkError)) {
		t.Errorf("a lost link: %v", err)
	}
	r.err = nil
	check(run())
	asked("pool/to/a")
	for n := range maps.Keys(r.settled) {
		r.settled[n] = transfer.NothingTaken
	}
	s.value = map[string]string{"a": "4", "a/b": "4"}
	check(run())
	asked()
	if len(said) > 0 {
		t.Errorf("the receiver takes nothing, and yet it says %q", said)
	}
}

// TestManyUntold: a sender that invents names of properties fills no log.
func TestManyUntold(t *testing.T) {
	var said []string
	var invented []string
	for i := range 1000 {
		invented = append(invented, fmt.Sprintf("u:%d", i))
	}
	r := &round{Job: &Job{Say: func(text string) { said = append(said, text) }}, view: &view{takes: transfer.Takes{Properties: true},
		sources: map[string]transfer.Dataset{"a": {Told: transfer.Properties{Untold: invented}}}}}
	r.sayUntold()
	if len(said) != maxUntold+1 || said[maxUntold] != "980 more properties are left out" {
		t.Errorf("%d lines, the last %q", len(said), said[len(said)-1])
	}
}
