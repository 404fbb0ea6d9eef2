package job

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
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

// StatePath is what the names of the files begin with that prune keeps for a
// job.
func StatePath(rundir, job string) string { return filepath.Join(rundir, job) }

func basesPath(rundir, job string) string { return filepath.Join(rundir, job+".bases") }

// Known returns the bases that this run has found or, where it has not looked,
// the last one that did.
func (r *Run) Known() (source, target map[string][]dataset.GUID, looked bool) {
	if source, target, looked := r.Bases(); looked {
		return source, target, true
	}
	b := readBases(basesPath(r.Global.RunDir, r.Job.Name))
	return b.Source, b.Target, !b.Looked.IsZero() && b.of(r.Job.IDs())
}

// of reports whether all of these have been looked at: a client may have been
// renamed, or be new.
func (b Bases) of(ids []string) bool {
	return !slices.ContainsFunc(ids, func(id string) bool { return !slices.Contains(b.IDs, id) })
}

// readBases reads what there is. What can't be read was never written whole,
// and is as if nobody had looked.
func readBases(path string) (b Bases) {
	text, err := os.ReadFile(path)
	if err != nil || json.Unmarshal(text, &b) != nil {
		return Bases{}
	}
	return b
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
	b := readBases(basesPath(r.Global.RunDir, r.Job.Name))
	b.Looked, b.IDs = time.Now(), r.Job.IDs()
	return r.writeBases(b)
}

func (r *Run) writeBases(b Bases) error {
	text, err := json.Marshal(b)
	if err == nil {
		path := basesPath(r.Global.RunDir, r.Job.Name)
		if err = writeState(path+".new", append(text, '\n')); err == nil {
			err = os.Rename(path+".new", path)
		}
	}
	if err != nil {
		return fmt.Errorf("cannot note what replication goes on from: %w", err)
	}
	return nil
}

// forgetBases removes what was noted: the job's protection was given up.
func forgetBases(rundir, job string) error {
	if err := os.Remove(basesPath(rundir, job)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
