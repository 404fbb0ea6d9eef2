package daemon

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// line is a queue whose runs are ended by the test.
type line struct {
	turns
	all map[string]*turn
}

func (l *line) due(job, after string, since int) {
	t := &turn{job: job, after: after, since: time.Unix(int64(since), 0)}
	l.all[job] = t
	l.wait(t)
}

func (l *line) end(job string) { l.leave(l.all[job]) }

func (l *line) running1() string {
	var names []string
	for _, t := range l.running {
		names = append(names, t.job)
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

func newLine(most int) *line { return &line{turns{most: most}, map[string]*turn{}} }

func (l *line) want(t *testing.T, names string) {
	t.Helper()
	if got := l.running1(); got != names {
		t.Errorf("%q run, not %q", got, names)
	}
}

// TestTurns: at most so many at once, the longest overdue first, and those that
// a person asked for before them.
func TestTurns(t *testing.T) {
	l := newLine(2)
	l.due("a", "", 10)
	l.due("b", "", 11)
	l.due("c", "", 9)
	l.due("d", "", 8)
	l.due("e", "", 12)
	l.want(t, "a b")
	l.end("a")
	l.want(t, "b d")
	l.ask(l.all["e"])
	l.end("b")
	l.want(t, "d e")
	l.allow(3)
	l.want(t, "c d e")
	l.allow(1)
	l.due("f", "", 1)
	l.end("c")
	l.end("d")
	l.want(t, "e")
	l.end("f") // it gave up
	l.end("e")
	l.want(t, "")
}

// TestAfter: two jobs that exclude each other never run at once, the one that is
// after the other lets it go first once, and others do not wait for them.
func TestAfter(t *testing.T) {
	l := newLine(4)
	l.due("x", "", 1)
	l.due("b", "a", 2)
	l.want(t, "b x") // a is not due
	l.due("a", "", 3)
	l.due("y", "", 4)
	l.want(t, "b x y")
	l.end("b")
	l.want(t, "a x y")
	l.due("b", "a", 5)
	l.want(t, "a x y")
	l.end("a")
	l.want(t, "b x y")
	l.end("b")
	l.end("x")
	l.end("y")

	l = newLine(1)
	l.due("x", "", 0)
	l.due("b", "a", 1)
	l.due("a", "", 2)
	l.end("x")
	l.want(t, "a")
	l.due("x", "", 3)
	l.end("a")
	l.want(t, "b") // and a, which is due again, does not overtake it twice
	l.due("a", "", 4)
	l.end("b")
	l.want(t, "x")
}

// TestNoStarving: with few places and many jobs that are always due, each is
// served in its turn.
func TestNoStarving(t *testing.T) {
	l := newLine(3)
	const jobs, rounds = 50, 400
	after := func(i int) string {
		if i%5 == 1 {
			return fmt.Sprint("j", i-1)
		}
		return ""
	}
	for i := range jobs {
		l.due(fmt.Sprint("j", i), after(i), i)
	}
	count := map[string]int{}
	for n := range rounds {
		t1 := l.running[n%len(l.running)]
		if o := l.all[t1.after]; o != nil && slices.Contains(l.running, o) {
			t.Fatalf("%s and %s run at once", t1.job, o.job)
		}
		l.leave(t1)
		count[t1.job]++
		l.due(t1.job, t1.after, jobs+n)
		if len(l.running) != 3 {
			t.Fatalf("%d run", len(l.running))
		}
	}
	for i := range jobs {
		if n := count[fmt.Sprint("j", i)]; n < rounds/jobs-2 || n > rounds/jobs+2 {
			t.Errorf("j%d ran %d times of %d", i, n, rounds)
		}
	}
}
