package job

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
)

// Bases are what a job's replications go on from, by dataset on each side, as
// they were when both sides were looked at last. Where they have never been,
// there are none.
type Bases struct {
	Looked time.Time                 `json:"looked"`
	IDs    []string                  `json:"ids"` // see config.Job: of those who have been looked at
	Source map[string][]dataset.GUID `json:"source,omitempty"`
	Target map[string][]dataset.GUID `json:"target,omitempty"`
}

const maxBases = 256 << 20

func basesName(job string) string { return job + ".bases" }

// Known returns the bases that this run has found or, where it has not looked,
// the last one that did.
func (r *Run) Known() (source, target map[string][]dataset.GUID, looked bool) {
	if source, target, looked := r.Bases(); looked {
		return source, target, true
	}
	b, _ := ReadBases(r.state(), r.Job.Name) // if it is damaged: as if nobody had looked
	return b.Source, b.Target, !b.Looked.IsZero() && b.of(r.Job.IDs())
}

// of reports whether all of these have been looked at: a client may have been
// renamed, or be new.
func (b Bases) of(ids []string) bool {
	return !slices.ContainsFunc(ids, func(id string) bool { return !slices.Contains(b.IDs, id) })
}

// ReadBases reads what the last run has noted. There is none, and no error, if
// no run has.
func ReadBases(dir state.Dir, job string) (b Bases, err error) {
	if err := readNote(dir, basesName(job), maxBases, &b); err != nil {
		return Bases{}, unlessMissing(err)
	}
	return b, nil
}

// noteBases keeps the bases, if this run has found them, for a later prune that
// does not look.
func (r *Run) noteBases() error {
	source, target, looked := r.Bases()
	if !looked {
		return nil
	}
	return r.writeBases(Bases{Looked: time.Now(), IDs: r.Job.IDs(), Source: source, Target: target})
}

// NoteLooked notes that the partner has been looked at, though nothing is known
// of bases.
func (r *Run) NoteLooked() error {
	b, _ := ReadBases(r.state(), r.Job.Name)
	b.Looked, b.IDs = time.Now(), r.Job.IDs()
	return r.writeBases(b)
}

func (r *Run) writeBases(b Bases) error {
	text, err := json.Marshal(b)
	if err == nil {
		err = r.state().Write(basesName(r.Job.Name), append(text, '\n'))
	}
	if err != nil {
		return fmt.Errorf("cannot note what replication goes on from: %w", err)
	}
	return nil
}
