package replicate

import (
	"sync"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/plan"
)

// bases is what a job knows of the newest version that both ends have of each
// dataset, by target.
type bases struct {
	mu     sync.Mutex
	looked bool
	at     map[string]base
}

type base struct {
	source string
	guids  []dataset.GUID
}

// plan notes the bases that a look at both ends has found.
func (b *bases) plan(results []plan.Result) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.looked, b.at = true, map[string]base{}
	for _, p := range results {
		if p.Base != nil {
			b.at[p.Target] = base{p.Source, []dataset.GUID{p.Base.Sender.GUID}}
		}
		if p.Newest != nil {
			b.at[p.Target] = base{p.Source, []dataset.GUID{p.Base.Sender.GUID, p.Newest.Sender.GUID}}
		}
	}
}

// move notes that both ends protect a newer base by now.
func (b *bases) move(p plan.Result, to dataset.GUID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.at[p.Target] = base{p.Source, []dataset.GUID{to}}
}

// Bases returns the guid of the newest common version of each dataset that
// has one, by the names of sources and of targets. Looked is false until a
// run has looked at both ends; what may be destroyed is unknown until then.
func (j *Job) Bases() (source, target map[string][]dataset.GUID, looked bool) {
	j.bases.mu.Lock()
	defer j.bases.mu.Unlock()
	source, target = map[string][]dataset.GUID{}, map[string][]dataset.GUID{}
	for name, b := range j.bases.at {
		source[b.source] = append(source[b.source], b.guids...)
		target[name] = append(target[name], b.guids...)
	}
	return source, target, j.bases.looked
}
