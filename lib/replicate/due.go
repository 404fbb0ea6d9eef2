package replicate

import "github.com/zrepl-tools/zrepl-tools/lib/plan"

// due is what a run found to do at its first look. A sender decides what it
// lists and when it hangs up: only work of the first look gives a run new
// tries, so that a run ends, whatever the sender does. What turns up later is
// done meanwhile, or left to the next run.
type due struct {
	begun bool
	left  map[string]int    // by target, how many snapshots and placeholders are to come
	parts map[string]uint64 // by target, one more than the part that a cut stream went on from last
}

func (d *due) begin(results []plan.Result) {
	if d.begun {
		return
	}
	d.begun, d.left, d.parts = true, map[string]int{}, map[string]uint64{}
	for _, p := range results {
		for _, s := range p.Steps {
			d.left[p.Target] += max(len(s.Brings), 1)
		}
	}
}

// done notes a step, and reports whether something of its target was due.
func (d *due) done(target string, step plan.Step) bool {
	if d.left[target] <= 0 {
		return false
	}
	d.left[target] -= max(len(step.Brings), 1)
	delete(d.parts, target)
	return true
}

// cut notes that much of a stream came before it was cut, of a target that had
// a part of so many bytes before. It reports whether that is progress: the
// stream was due, and the part has grown since the last time.
func (d *due) cut(target string, had uint64) bool {
	if d.left[target] <= 0 || had < d.parts[target] {
		return false
	}
	d.parts[target] = had + 1
	return true
}
