package plan

import (
	"container/heap"
	"math"
	"slices"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
)

// Queue hands out the datasets of a run, one step at a time: whose next step
// brings the oldest snapshot comes first, so that what lags most catches up
// first and one long transfer does not starve the others. A dataset comes only
// when the initial transfer of all above it is complete. It is not safe for
// concurrent use.
//
// Take a dataset with Next, carry out its first remaining step (Step), then
// say so with Done or Fail; in between it is not handed out again.
type Queue struct {
	nodes []node
	ready readyHeap
	open  int // datasets with steps left
}

type node struct {
	steps    []Step
	parent   int // nearest result above, or -1
	children []int
	waiting  bool // its own initial step is to come
	dead     bool

	awaits   int          // the result whose copy this one becomes a clone of, if that has to come first, or -1
	guid     dataset.GUID // of the snapshot that has to come
	clones   []int        // those that await this one
	released bool         // it could start but for that
}

// NewQueue takes the results of All. The numbers that Next and Fail return are
// places in results.
func NewQueue(results []Result) *Queue {
	q := &Queue{nodes: make([]node, len(results))}
	at := make(map[string]int, len(results))
	for i := range results {
		if at[results[i].Target] = i; len(results[i].Steps) > 0 {
			q.open++
		}
	}
	// Of a dataset and a placeholder that holds its place, only the latter
	// has steps.
	for i := range results {
		if len(results[i].Steps) > 0 {
			at[results[i].Target] = i
		}
	}
	for i := range results {
		n := &q.nodes[i]
		n.steps = results[i].Steps
		n.waiting = len(n.steps) > 0 && n.steps[0].Initial()
		n.parent, n.awaits = -1, -1
		for p := dataset.Parent(results[i].Target); p != ""; p = dataset.Parent(p) {
			if j, ok := at[p]; ok {
				n.parent = j
				q.nodes[j].children = append(q.nodes[j].children, i)
				break
			}
		}
	}
	q.awaitOrigins(results)
	for i := range q.nodes {
		if q.nodes[i].parent < 0 {
			q.release(i)
		}
	}
	return q
}

// release makes i ready, and what stands below unless it has to wait for i.
func (q *Queue) release(i int) {
	n := &q.nodes[i]
	n.released = true
	if len(n.steps) > 0 && n.awaits < 0 {
		heap.Push(&q.ready, entry{key: key(n.steps[0]), i: i})
	}
	if !n.waiting {
		for _, c := range n.children {
			q.release(c)
		}
	}
}

// awaitOrigins finds what has to wait for a snapshot that a step of another result
// brings: All has made sure that nothing waits for itself.
func (q *Queue) awaitOrigins(results []Result) {
	var at map[string]int // by source
	for i := range results {
		if len(results[i].Steps) == 0 || results[i].Steps[0].Origin == "" {
			continue
		}
		if at == nil {
			at = make(map[string]int, len(results))
			for k := range results {
				at[results[k].Source] = k
			}
		}
		s := results[i].Steps[0]
		j, ok := at[s.Origin]
		if ok && slices.ContainsFunc(results[j].Steps, func(o Step) bool { return o.brings(s.From.GUID) }) {
			q.nodes[i].awaits, q.nodes[i].guid = j, s.From.GUID
			q.nodes[j].clones = append(q.nodes[j].clones, i)
		}
	}
}

func (s Step) brings(guid dataset.GUID) bool {
	_, has := byGUID(s.Brings, guid)
	return has
}

// arrived lets those begin that become clones of what a step of n has brought.
func (q *Queue) arrived(n *node, s Step) {
	for _, c := range n.clones {
		clone := &q.nodes[c]
		if clone.awaits < 0 || clone.dead || !s.brings(clone.guid) {
			continue
		}
		clone.awaits = -1
		if clone.released {
			heap.Push(&q.ready, entry{key: key(clone.steps[0]), i: c})
		}
	}
}

// Next hands out a dataset with a step that can start now. Without one it
// returns false: everything is done (Empty), or waits for what was handed out.
func (q *Queue) Next() (i int, ok bool) {
	for q.ready.Len() > 0 {
		e := heap.Pop(&q.ready).(entry)
		if !q.nodes[e.i].dead {
			return e.i, true
		}
	}
	return -1, false
}

// Step returns the first remaining step of dataset i, which must have one.
func (q *Queue) Step(i int) Step { return q.nodes[i].steps[0] }

// Done says that the first remaining step of i succeeded. The dataset takes
// its place again with its next step, and where the step was its initial one,
// what stands below may start.
func (q *Queue) Done(i int) {
	n := &q.nodes[i]
	if n.dead { // what stands above may have failed meanwhile
		return
	}
	q.arrived(n, n.steps[0])
	left := n.steps[1:]
	n.steps = left
	waited := n.waiting
	n.waiting = len(left) > 0 && left[0].Initial()
	if len(left) > 0 {
		heap.Push(&q.ready, entry{key: key(left[0]), i: i})
	} else {
		q.open--
	}
	if waited && !n.waiting {
		for _, c := range n.children {
			q.release(c)
		}
	}
}

// Fail takes i out of this run, and where its initial transfer is what failed,
// everything below it that has no target yet; and what was to become a clone of a
// snapshot that does not come. It returns those of them that had steps left.
func (q *Queue) Fail(i int) (below []int) {
	q.kill(i, &below)
	if len(below) > 0 && below[0] == i {
		below = below[1:]
	}
	return below
}

func (q *Queue) kill(i int, out *[]int) {
	n := &q.nodes[i]
	if !n.dead && len(n.steps) > 0 {
		*out = append(*out, i)
		q.open--
	}
	waited := n.waiting
	n.dead, n.steps, n.waiting = true, nil, false
	for _, c := range n.clones {
		if q.nodes[c].awaits == i {
			q.nodes[c].awaits = -1
			q.kill(c, out)
		}
	}
	if !waited {
		return // its target is whole: what stands below is under way
	}
	for _, c := range n.children {
		if q.nodes[c].waiting {
			q.kill(c, out)
		} else {
			q.release(c) // its own target is there
		}
	}
}

// key orders steps by the age of what they bring; placeholders cost nothing
// and hold up others, so that they come first.
func key(s Step) uint64 {
	switch {
	case s.Kind == Placeholder:
		return 0
	case len(s.Brings) > 0:
		return s.Brings[0].CreateTXG
	}
	return math.MaxUint64
}

type entry struct {
	key uint64
	i   int
}

type readyHeap []entry

func (h readyHeap) Len() int { return len(h) }
func (h readyHeap) Less(a, b int) bool {
	if h[a].key != h[b].key {
		return h[a].key < h[b].key
	}
	return h[a].i < h[b].i
}
func (h readyHeap) Swap(a, b int) { h[a], h[b] = h[b], h[a] }
func (h *readyHeap) Push(x any)   { *h = append(*h, x.(entry)) }
func (h *readyHeap) Pop() any {
	old := *h
	e := old[len(old)-1]
	*h = old[:len(old)-1]
	return e
}
