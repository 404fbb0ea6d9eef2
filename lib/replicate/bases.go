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
	came   map[string]string // sources of what this run brought, by target
}

type base struct {
	source string
	guids  []dataset.GUID
	older  []dataset.GUID // on the source: the target lacks them for good, and a person has to decide
	beyond []dataset.GUID // on the target: the source has lost them, and the job does not hold them
}

// plan notes the bases that a look at both ends has found, and what is only on
// a target since then.
func (b *bases) plan(results []plan.Result, v *view) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.looked, b.at = true, map[string]base{}
	for _, p := range results {
		if p.Base == nil {
			continue
		}
		at := base{source: p.Source, guids: []dataset.GUID{p.Base.Sender.GUID}}
		if p.Newest != nil {
			at.guids = append(at.guids, p.Newest.Sender.GUID)
		}
		for _, s := range p.Older {
			at.older = append(at.older, s.GUID)
		}
		for _, s := range v.barring(p) {
			at.beyond = append(at.beyond, s.GUID)
		}
		b.at[p.Target] = at
	}
}

// still notes the bases of copies that are to be renamed by the names that they
// have until then.
func (b *bases) still(renaming []rename) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, m := range renaming {
		if at, ok := b.at[m.result.Target]; ok {
			delete(b.at, m.result.Target)
			b.at[m.from] = at
		}
	}
}

// move notes that both ends protect a newer base by now.
func (b *bases) move(p plan.Result, to dataset.GUID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.at[p.Target] = base{source: p.Source, guids: []dataset.GUID{to}}
	if b.came == nil {
		b.came = map[string]string{}
	}
	b.came[p.Target] = p.Source
}

// arrived returns the sources of what this run brought, by target.
func (b *bases) arrived() map[string]string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.came
}

// Bases returns the guid of the newest common version of each dataset that
// has one, by the names of sources and of targets. If a target lacks older
// snapshots, there are several: also the version up to which the job sent
// everything, which is the oldest, and on the source the snapshots that are
// lacking. If a source was rolled back, what it lost is among those of the target:
// the copy may be the last place that has it. Looked is false until a
// run has looked at both ends; what may be destroyed is unknown until then.
func (j *Job) Bases() (source, target map[string][]dataset.GUID, looked bool) {
	j.bases.mu.Lock()
	defer j.bases.mu.Unlock()
	source, target = map[string][]dataset.GUID{}, map[string][]dataset.GUID{}
	for name, b := range j.bases.at {
		source[b.source] = append(append(source[b.source], b.guids...), b.older...)
		target[name] = append(append(target[name], b.guids...), b.beyond...)
	}
	return source, target, j.bases.looked
}
