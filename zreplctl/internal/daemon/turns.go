package daemon

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// turns lets so many runs go at once. The one that is longest overdue goes
// first, and those that a person asked for before it.
type turns struct {
	mu      sync.Mutex
	most    int
	waiting []*turn
	running []*turn
}

// turn is a run that waits for its turn, or has it.
type turn struct {
	job, after string
	since      time.Time // from when on it was due
	asked      bool      // by a person
	// passed says that the job that this one is after has run since it was due:
	// it does not wait for that once more.
	passed bool
	ready  chan struct{} // closed when it is its turn
}

// wait lines up for a turn.
func (q *turns) wait(t *turn) {
	q.mu.Lock()
	defer q.mu.Unlock()
	t.ready = make(chan struct{})
	q.waiting = append(q.waiting, t)
	q.next()
}

// ask makes a turn that waits one that a person asked for.
func (q *turns) ask(t *turn) {
	q.mu.Lock()
	defer q.mu.Unlock()
	t.asked = true
	q.next()
}

// leave ends a turn, or waiting for it.
func (q *turns) leave(t *turn) {
	q.mu.Lock()
	defer q.mu.Unlock()
	is := func(o *turn) bool { return o == t }
	q.waiting, q.running = slices.DeleteFunc(q.waiting, is), slices.DeleteFunc(q.running, is)
	q.next()
}

// allow sets how many runs may go at once. Those that are on go on.
func (q *turns) allow(most int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.most = most
	q.next()
}

// next gives turns to those that may go. Who has to wait for a certain other job
// keeps nobody else waiting.
func (q *turns) next() {
	slices.SortStableFunc(q.waiting, func(a, b *turn) int {
		if a.asked != b.asked {
			if a.asked {
				return -1
			}
			return 1
		}
		return cmp.Or(a.since.Compare(b.since), cmp.Compare(a.job, b.job))
	})
	for _, t := range slices.Clone(q.waiting) {
		if q.most > 0 && len(q.running) >= q.most {
			return
		}
		if q.kept(t) {
			continue
		}
		q.waiting = slices.DeleteFunc(q.waiting, func(o *turn) bool { return o == t })
		q.running = append(q.running, t)
		for _, o := range q.waiting {
			o.passed = o.passed || o.after == t.job
		}
		close(t.ready)
	}
}

// kept reports whether another job keeps this one from running: one with which
// it may not run at the same time, or one that is due too and goes first.
func (q *turns) kept(t *turn) bool {
	if slices.ContainsFunc(q.running, func(o *turn) bool { return o.job == t.after || o.after == t.job }) {
		return true
	}
	return !t.passed && !t.asked && slices.ContainsFunc(q.waiting, func(o *turn) bool { return o.job == t.after })
}
