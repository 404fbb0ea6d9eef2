package job

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/progress"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
)

// TestHealthOverflow: a list of datasets that has left one out is not whole,
// and what was before is not looked for at each connection.
func TestHealthOverflow(t *testing.T) {
	t.Parallel()
	dir := state.In(t.TempDir() + "/state")
	asked := 0
	visit := func(from, to int, before error) {
		t.Helper()
		v := newVisit()
		v.hello()
		for i := from; i < to; i++ {
			v.doing("send", fmt.Sprintf("a/%d", i))
		}
		e := &earlier{dir: dir, client: "me", look: func(context.Context) ([]string, error) { asked++; return nil, before }}
		e.begin()
		if err := v.note(dir, "me", nil); err != nil {
			t.Fatal(err)
		}
		e.end(t.Context())
	}
	known := func(what string, want bool) {
		t.Helper()
		if _, got := ReadCovered(dir, "me"); got != want {
			t.Errorf("%s: known is %v", what, got)
		}
	}
	visit(0, 3, errors.New("zfs failed"))
	visit(0, 3, nil) // the look was not begun again: it failed just now
	known("what was before could not be asked", false)
	if err := updateSessions(dir, "me", func(s *sessions) { s.Looked.Time = s.Looked.Add(-time.Hour) }); err != nil {
		t.Fatal(err)
	}
	visit(0, maxCovered, nil)
	known("as many as are kept", true)
	visit(0, 5, nil)
	known("none is new", true)
	visit(maxCovered, maxCovered+1, nil)
	known("one was left out", false)
	visit(0, 5, nil)
	known("one was left out before", false)
	if asked != 2 {
		t.Errorf("asked %d times", asked)
	}
}

// TestHealthOverflowAtOnce is the same with one connection.
func TestHealthOverflowAtOnce(t *testing.T) {
	t.Parallel()
	dir := state.In(t.TempDir() + "/state")
	v := newVisit()
	v.hello()
	for i := range maxCovered + 1 {
		v.doing("send", fmt.Sprintf("a/%d", i))
	}
	e := &earlier{dir: dir, client: "me", look: func(context.Context) ([]string, error) { return nil, nil }}
	e.begin()
	if err := v.note(dir, "me", nil); err != nil {
		t.Fatal(err)
	}
	e.end(t.Context())
	if _, known := ReadCovered(dir, "me"); known {
		t.Error("the list is said to be whole")
	}
}

// TestLookKilled: the end of the connection kills a look that takes long, since
// the far side waits two seconds only. The connection is noted all the same, and
// the next runs do not begin the look again, until a day has passed.
func TestLookKilled(t *testing.T) {
	t.Parallel()
	dir := state.In(t.TempDir() + "/state")
	asked, slow := 0, make(chan struct{})
	var looks []*earlier
	t.Cleanup(func() {
		close(slow)
		for _, e := range looks {
			e.end(context.Background())
		}
	})
	visit := func() {
		t.Helper()
		v, begun := newVisit(), make(chan struct{})
		v.hello()
		e := &earlier{dir: dir, client: "me", look: func(context.Context) ([]string, error) { asked++; close(begun); <-slow; return nil, nil }}
		looks = append(looks, e)
		e.begin()
		if e.done != nil {
			<-begun
		}
		if err := v.note(dir, "me", nil); err != nil {
			t.Fatal(err)
		}
	}
	visit()
	visit()
	if last, err := ReadSession(dir, "me"); err != nil || last.Ended.IsZero() || asked != 1 {
		t.Errorf("looked %d times; the last connection: %+v, %v", asked, last, err)
	}
	for _, when := range []time.Time{time.Now().Add(-25 * time.Hour), time.Now().Add(time.Hour)} { // the clock was wrong, too
		before := asked
		if err := updateSessions(dir, "me", func(s *sessions) { s.Looked = progress.At(when) }); err != nil {
			t.Fatal(err)
		}
		if visit(); asked != before+1 {
			t.Errorf("looked %d times more after %v", asked-before, when)
		}
	}
}

// TestLookGivenUp: who is told to end does not wait for the look, and the next
// one is due in an hour.
func TestLookGivenUp(t *testing.T) {
	t.Parallel()
	dir := state.In(t.TempDir() + "/state")
	e := &earlier{dir: dir, client: "me", look: func(ctx context.Context) ([]string, error) { <-ctx.Done(); return nil, ctx.Err() }}
	e.begin()
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	over := make(chan struct{})
	go func() {
		defer close(over)
		e.end(ctx)
	}()
	select {
	case <-over:
	case <-time.After(time.Minute):
		t.Fatal("it waits for the look")
	}
	_ = updateSessions(dir, "me", func(s *sessions) {
		if age := time.Since(s.Looked.Time); s.Whole || age < coveredAgain-coveredRetry-time.Minute || age > coveredAgain {
			t.Errorf("whole %v, looked %v ago", s.Whole, age)
		}
	})
}
