package job

import (
	"errors"
	"io/fs"
	"slices"

	"github.com/zrepl-tools/zrepl-tools/lib/clean"
	"github.com/zrepl-tools/zrepl-tools/lib/plan"
	"github.com/zrepl-tools/zrepl-tools/lib/progress"
)

// forgetRows takes targets that a person has forgotten out of the job's record,
// so that nobody reports them until the next run. If the last run failed for
// them alone, it did all that is left.
func (r *Run) forgetRows(targets []string) error {
	rec, err := ReadRecord(r.state(), r.Job.Name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	was := (&DatasetsError{failedRows(rec.Datasets)}).Error()
	rows := slices.DeleteFunc(slices.Clone(rec.Datasets), func(d progress.Dataset) bool {
		reason := plan.Reason(d.Reason)
		return slices.Contains(targets, d.Target) && (reason == plan.NotOffered || reason == plan.Vanished || reason == plan.SourceEmpty)
	})
	if len(rows) == len(rec.Datasets) {
		return nil
	}
	rec.Datasets = rows
	if rec.Failed[""] == was {
		rec.failedBy(failedRows(rows))
	}
	text, err := clean.JSON(rec)
	if err != nil {
		return err
	}
	return r.state().Write(recordName(r.Job.Name), append(text, '\n'))
}

// failedBy makes datasets the reason for which a whole run failed.
func (rec *Record) failedBy(rows []progress.Dataset) {
	delete(rec.Failed, "")
	if len(rows) > 0 {
		rec.fail("", (&DatasetsError{rows}).Error())
	}
	if rec.sum(); rec.OK {
		rec.Success, rec.Status = &rec.Ended, 0
	}
}
