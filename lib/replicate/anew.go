package replicate

import (
	"fmt"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/plan"
	"github.com/zrepl-tools/zrepl-tools/lib/progress"
)

// sayAnew says, once for each, which copies are gone that the job had received,
// and notes it: the run begins them anew, and no later one can tell that anything
// was lost.
func (r *round) sayAnew() {
	for _, p := range r.results {
		_, received := r.Covered[p.Target]
		if len(p.Steps) == 0 || p.Steps[0].Kind != plan.Full && p.Steps[0].Kind != plan.Clone || !received || r.anew[p.Target] {
			continue
		}
		if r.anew == nil {
			r.anew = map[string]bool{}
		}
		r.anew[p.Target] = true
		if before := r.view.asideOf(p.Target); before != "" {
			r.say(fmt.Sprintf("warning: the copy %q was set aside as %q; sending it anew", p.Target, before))
		} else {
			r.say(fmt.Sprintf("warning: the copy %q is gone; sending it anew", p.Target))
		}
		now, before := progress.At(time.Now()), r.view.asideOf(p.Target)
		r.update(p.Target, func(d *progress.Dataset) { d.Anew, d.Aside = &now, before })
	}
}
