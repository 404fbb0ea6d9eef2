package job

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/clean"
	"github.com/zrepl-tools/zrepl-tools/lib/plan"
	"github.com/zrepl-tools/zrepl-tools/lib/progress"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
)

// Record is the outcome of a job's last run: what the exit status, the status
// display and metrics all come from.
type Record struct {
	Job      string             `json:"job"`
	Type     string             `json:"type"`
	Started  progress.Time      `json:"started,omitzero"`
	Ended    progress.Time      `json:"ended,omitzero"`
	OK       bool               `json:"ok"`
	Stopped  bool               `json:"stopped,omitempty"` // by a signal: it is not OK, and Error is of the run before
	Success  *progress.Time     `json:"success,omitempty"` // the end of the last run that was OK
	Error    string             `json:"error,omitempty"`
	Status   int                `json:"status,omitempty"` // exit status of the run that failed; 0: it is not known, or OK
	Bytes    uint64             `json:"bytes"`
	Datasets []progress.Dataset `json:"datasets"`
	// Failed holds the error of each part that failed when it was done last,
	// by the part's command; that of a whole run, which does all parts, is
	// under "". OK and Error come from these.
	Failed map[string]string `json:"failed,omitempty"`
	// Alone reports that a run was OK since there is no daemon, and that no run
	// began beside one since: something else runs the job.
	Alone bool `json:"alone,omitempty"`
}

// maxRecord bounds a record: it has a line or two for each dataset.
const maxRecord = 256 << 20

// recordName is the file of a job's record.
func recordName(job string) string { return job + ".json" }

// ForgetRecord removes a job's record.
func ForgetRecord(dir state.Dir, job string) error { return dir.Remove(recordName(job)) }

// ReadRecord reads a job's record. The error is fs.ErrNotExist if it never ran.
func ReadRecord(dir state.Dir, job string) (*Record, error) {
	var rec Record
	if err := readNote(dir, recordName(job), maxRecord, &rec); err != nil {
		return nil, err
	}
	return &rec, nil
}

// Unsent returns the datasets of which the two sides were last seen to have no
// snapshot in common: by this run or, where it has not seen them, by the one
// before it.
func (r *Run) Unsent() map[string]bool {
	var datasets []progress.Dataset
	if r.Tracker != nil {
		datasets = r.Tracker.Snapshot().Datasets
	}
	if len(datasets) == 0 {
		if old, err := ReadRecord(r.state(), r.Job.Name); err == nil {
			datasets = old.Datasets
		}
	}
	unsent := map[string]bool{}
	for _, d := range datasets {
		if d.To == "" {
			unsent[d.Source] = true
		}
	}
	return unsent
}

// partly is the record for a part of a job: what it is about is the last whole
// run, where the job has such runs.
func (r *Run) partly(rec, old *Record) *Record {
	switch {
	case old == nil:
		return rec
	case r.Job.Replicates():
		return old
	}
	rec.Failed = old.Failed
	return rec
}

// fail notes the error of a part.
func (rec *Record) fail(part, why string) {
	if rec.Failed == nil {
		rec.Failed = map[string]string{}
	}
	rec.Failed[part] = why
}

// outcome notes how a part ended. A signal says nothing of what it would have
// come to: what is known of the part is what the run before it said.
func (rec *Record) outcome(part string, err error, stopped bool) {
	switch {
	case stopped:
		return
	case err != nil:
		rec.fail(part, err.Error())
		return
	}
	delete(rec.Failed, part)
	if part == upkeepPart {
		delete(rec.Failed, "autosnap")
		delete(rec.Failed, "prune")
	}
}

// sum sets OK and Error, which come from those of the parts.
func (rec *Record) sum() {
	var all []string
	for _, part := range slices.Sorted(maps.Keys(rec.Failed)) {
		all = append(all, rec.Failed[part])
	}
	rec.OK, rec.Error = len(all) == 0 && !rec.Stopped, strings.Join(all, "; ")
}

// rows are the datasets of a run that has ended. A run that did not get to see
// any leaves those of the run before, with the time of that.
func rows(seen []progress.Dataset, old *Record) []progress.Dataset {
	if len(seen) > 0 || old == nil {
		return anew(since(progress.Ended(seen), old), old)
	}
	rows := progress.Ended(old.Datasets)
	for i := range rows {
		if rows[i].Seen == nil {
			rows[i].Seen = &old.Ended
		}
	}
	return rows
}

// anew keeps what earlier runs noted of copies that were sent anew.
func anew(rows []progress.Dataset, old *Record) []progress.Dataset {
	if old == nil {
		return rows
	}
	before := map[string]progress.Dataset{}
	for _, o := range old.Datasets {
		if o.Anew != nil {
			before[o.Target] = o
		}
	}
	for i := range rows {
		if d := &rows[i]; d.Anew == nil {
			d.Anew, d.Aside = before[d.Target].Anew, before[d.Target].Aside
		}
	}
	return rows
}

// since dates the datasets that wait for their first snapshot: by the first of the runs
// that have seen them so.
func since(rows []progress.Dataset, old *Record) []progress.Dataset {
	var before map[string]*progress.Time
	for i := range rows {
		d := &rows[i]
		if !plan.Reason(d.Reason).Waits() {
			continue
		}
		if before == nil {
			before = map[string]*progress.Time{}
			if old != nil {
				for _, o := range old.Datasets {
					before[o.Source+" "+o.Target] = o.Since
				}
			}
		}
		if d.Since = before[d.Source+" "+d.Target]; d.Since == nil {
			d.Since = new(progress.At(time.Now()))
		}
	}
	return rows
}

// record writes how the run ended. Before are the runs that were killed since
// the last record.
func (r *Run) record(started time.Time, before []Past, err error, stopped bool) error {
	rec := r.newRecord(started, before, err, stopped)
	rec.shorten()
	b, err := clean.JSON(rec)
	if err != nil {
		return err
	}
	return r.state().Write(recordName(r.Job.Name), append(b, '\n'))
}

func (r *Run) newRecord(started time.Time, before []Past, err error, stopped bool) *Record {
	s, part := r.Tracker.Snapshot(), r.part()
	old, oldErr := ReadRecord(r.state(), r.Job.Name)
	if oldErr != nil || old.Type != string(r.Job.Type) {
		old = nil
	}
	rec := &Record{Job: r.Job.Name, Type: string(r.Job.Type), Started: progress.At(started), Ended: progress.At(time.Now()),
		Bytes: s.Bytes, Datasets: rows(s.Datasets, old)}
	if old != nil {
		rec.Success = old.Success
		if stopped {
			rec.Failed = old.Failed
		}
	}
	if part != "" {
		rec = r.partly(rec, old)
	}
	if part != "" || stopped { // a whole run that came to its end says all
		rec.wereKilled(before, r.Job.Replicates())
	}
	rec.outcome(part, err, stopped)
	// A part says nothing of how a whole run ended, or would end.
	whole := part == "" || !r.Job.Replicates()
	if whole {
		rec.Stopped = stopped
	}
	if rec.sum(); whole && rec.OK {
		rec.Success = &rec.Ended
	}
	if whole {
		rec.Alone = r.alone && (rec.OK || old != nil && old.Alone)
	}
	rec.Status = r.endedWith(rec, old, err, whole)
	return rec
}

// endedWith is the exit status of what a record says: of this run, or of an
// earlier one whose failure stays.
func (r *Run) endedWith(rec, old *Record, err error, whole bool) int {
	switch {
	case rec.OK:
		return 0
	case whole && err != nil && r.ExitStatus != nil:
		return r.ExitStatus(err)
	case old != nil:
		return old.Status
	}
	return 0
}

// A record has the whole error of so many datasets, and so many bytes of the
// others': it must never get longer than maxRecord, or nobody could read it.
const (
	wholeErrors = 10_000
	shortError  = 100
)

// shorten bounds what errors take in the record.
func (rec *Record) shorten() {
	whole := 0
	for i := range rec.Datasets {
		d := &rec.Datasets[i]
		if d.Error == "" {
			continue
		}
		if whole++; whole > wholeErrors {
			d.Error = clean.Line(d.Error, shortError)
		}
	}
}

// wereKilled notes the parts that were killed: the run that wrote nothing of
// itself would be forgotten with its note. Only a whole run could end the
// failure of a whole run, which not all jobs have.
func (rec *Record) wereKilled(before []Past, hasWhole bool) {
	for _, p := range before {
		if p.Part != "" || hasWhole {
			rec.fail(p.Part, "the run that began "+p.Started.UTC().Format(time.RFC3339)+" was killed, could not write its record, or this host went down")
		}
	}
}
