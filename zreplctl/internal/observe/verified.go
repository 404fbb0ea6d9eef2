package observe

import (
	"cmp"
	"fmt"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/clean"
	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/plural"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/health"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
)

// compared adds to a copy what zreplctl verify has found, unless the copy is gone
// or another one has its name.
func (l *looked) compared(f *found) {
	v, ok := l.verified[f.Target]
	if f.Target == "" && l.job.Type == config.Push { // what the last run saw is lost
		v, ok = l.verifiedOf(f.Source)
	}
	if l.lostNote != "" && v.At == 0 && f.Missing == "" && f.Gone == "" {
		f.Unread = fmt.Sprintf("what was known of its data is lost (%s): zreplctl verify %s", l.lostNote, l.job.Name)
	}
	if !ok || f.Missing != "" {
		return
	}
	if l.job.Receives() {
		here := l.host.datasets[f.Target]
		if here == nil {
			return
		}
		if at, ok := here.find(v.GUID); ok && at.is(dataset.Snapshot) && at.txg != v.TXG {
			return
		}
	}
	if v.At > 0 {
		f.Verified = time.Unix(v.At, 0)
	}
	if v.Failed > 0 {
		f.Unread = clean.Line("the last comparison with its source failed "+health.Since(time.Unix(v.Failed, 0), l.now)+": "+v.Why, maxWhy)
	}
	if n := len(v.Differing); n > 0 {
		one := v.Differing[0] // the newest
		f.Differs = clean.Line(health.Since(time.Unix(one.At, 0), l.now)+": @"+one.Snapshot+": "+cmp.Or(one.Why, "the digests differ"), maxWhy)
		if n > 1 {
			f.Differs += fmt.Sprintf(" (and %s more)", plural.Of(n-1, "snapshot"))
		}
	}
}

// verifiedOf is what comparing a source with its copy has found.
func (l *looked) verifiedOf(source string) (state.Verification, bool) {
	if l.bySource == nil {
		l.bySource = map[string]state.Verification{}
		for _, v := range l.verified {
			l.bySource[v.Source] = v
		}
	}
	v, ok := l.bySource[source]
	return v, ok
}
