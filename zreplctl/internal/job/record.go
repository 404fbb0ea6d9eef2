package job

import (
	"encoding/json"
	"os"
	"path/filepath"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/progress"
)

// Record is the outcome of a job's last run: what the exit status, the status
// display and metrics all come from.
type Record struct {
	Job      string             `json:"job"`
	Type     string             `json:"type"`
	Started  time.Time          `json:"started"`
	Ended    time.Time          `json:"ended"`
	OK       bool               `json:"ok"`
	Error    string             `json:"error,omitempty"`
	Bytes    uint64             `json:"bytes"`
	Datasets []progress.Dataset `json:"datasets"`
}

// RecordPath is the file of a job's record.
func RecordPath(rundir, job string) string { return filepath.Join(rundir, job+".json") }

// ReadRecord reads a job's record. The error is fs.ErrNotExist where it never
// ran.
func ReadRecord(rundir, job string) (*Record, error) {
	b, err := os.ReadFile(RecordPath(rundir, job))
	if err != nil {
		return nil, err
	}
	var rec Record
	return &rec, json.Unmarshal(b, &rec)
}

func (r *Run) record(started time.Time, err error) error {
	s := r.Tracker.Snapshot()
	rec := Record{Job: r.Job.Name, Type: string(r.Job.Type), Started: started, Ended: time.Now(),
		OK: err == nil, Bytes: s.Bytes, Datasets: s.Datasets}
	if err != nil {
		rec.Error = err.Error()
	}
	b, err := json.Marshal(rec)
	if err != nil {
		return err
	}
	path := RecordPath(r.Global.RunDir, r.Job.Name)
	if err := os.WriteFile(path+".new", append(b, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
