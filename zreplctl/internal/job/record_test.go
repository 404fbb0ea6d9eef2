package job_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/job"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
)

// recorded is a job whose runs do nothing but leave a record.
type recorded struct {
	t      *testing.T
	global config.Global
	job    config.Job
}

func newRecorded(t *testing.T) *recorded {
	dir := t.TempDir()
	return &recorded{t, config.Global{RunDir: filepath.Join(dir, "run"), StateDir: filepath.Join(dir, "state")},
		config.Job{Name: "p", Type: config.Push}}
}

// before leaves what an earlier run left: a record, or the note of one that
// was killed.
func (r *recorded) before(file, text string) {
	r.t.Helper()
	if err := state.Of(r.global).Write("p"+file, []byte(text)); err != nil {
		r.t.Fatal(err)
	}
}

func (r *recorded) part(name string, err error) error {
	run := &job.Run{Global: r.global, Job: &r.job, Part: name, NoReplication: true,
		Before: func(context.Context) error { return err }}
	return run.Do(context.Background())
}

func (r *recorded) read() *job.Record {
	r.t.Helper()
	rec, err := job.ReadRecord(state.Of(r.global), "p")
	if err != nil {
		r.t.Fatal(err)
	}
	return rec
}

const (
	wellRecord    = `{"job":"p","type":"push","started":"2026-01-01T00:00:00Z","ended":"2026-01-01T00:01:00Z","ok":true,"success":"2026-01-01T00:01:00Z"}`
	failedRecord  = `{"job":"p","type":"push","started":"2026-01-02T00:00:00Z","ended":"2026-01-02T00:01:00Z","ok":false,"success":"2026-01-01T00:01:00Z","error":"no link","failed":{"":"no link"}}`
	stoppedRecord = `{"job":"p","type":"push","started":"2026-01-02T00:00:00Z","ended":"2026-01-02T00:01:00Z","ok":false,"success":"2026-01-01T00:01:00Z","stopped":true}`
	killedNote    = `{"pid":999999}`
)

// TestRecordOfPart: no part of a job makes good, or hides, how the last whole
// run ended.
func TestRecordOfPart(t *testing.T) {
	for name, c := range map[string]struct {
		record, note string
		part         string
		err          error
		ok, stopped  bool
		failed       map[string]string // what each error contains
		success      bool
	}{
		"well":                     {record: wellRecord, part: "prune", ok: true, success: true},
		"well, the part fails":     {record: wellRecord, part: "prune", err: errors.New("busy"), failed: map[string]string{"prune": "busy"}, success: true},
		"failed":                   {record: failedRecord, part: "prune", failed: map[string]string{"": "no link"}, success: true},
		"failed, -skip replicate":  {record: failedRecord, failed: map[string]string{"": "no link"}, success: true},
		"stopped":                  {record: stoppedRecord, part: "prune", stopped: true, success: true},
		"stopped, -skip replicate": {record: stoppedRecord, stopped: true, success: true},
		"killed":                   {record: wellRecord, note: killedNote, part: "prune", failed: map[string]string{"": "was killed"}, success: true},
		"killed, -skip replicate":  {record: wellRecord, note: killedNote, failed: map[string]string{"": "was killed"}, success: true},
		"killed at first":          {note: killedNote, part: "prune", failed: map[string]string{"": "was killed"}},
		"a part was killed":        {record: wellRecord, note: `{"pid":999999,"part":"autosnap"}`, part: "prune", failed: map[string]string{"autosnap": "was killed"}, success: true},
		"the same part was killed": {record: wellRecord, note: `{"pid":999999,"part":"prune"}`, part: "prune", ok: true, success: true},
		"never":                    {part: "prune", ok: true},
		"never, -skip replicate":   {ok: true},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRecorded(t)
			for file, text := range map[string]string{".json": c.record, ".begun": c.note} {
				if text != "" {
					r.before(file, text)
				}
			}
			if err := r.part(c.part, c.err); !errors.Is(err, c.err) {
				t.Fatal(err)
			}
			rec := r.read()
			if rec.OK != c.ok || rec.Stopped != c.stopped || len(rec.Failed) != len(c.failed) || (rec.Success != nil) != c.success {
				t.Errorf("%+v", rec)
			}
			for part, want := range c.failed {
				if !strings.Contains(rec.Failed[part], want) || !strings.Contains(rec.Error, want) {
					t.Errorf("part %q: %q, in %q", part, rec.Failed[part], rec.Error)
				}
			}
			if rec.Success != nil && !rec.Success.Equal(time.Date(2026, 1, 1, 0, 1, 0, 0, time.UTC)) {
				t.Errorf("the last success is of %s", rec.Success)
			}
			if when, _, err := job.Begun(state.Of(r.global), r.global.RunDir, "p"); err != nil || !when.IsZero() {
				t.Error("the note is left")
			}
		})
	}
}

// TestRecordOfParts: the success of a part ends its own failure, and that of a
// run of several parts ends the failure of each.
func TestRecordOfParts(t *testing.T) {
	r := newRecorded(t)
	r.before(".json", wellRecord)
	r.part("autosnap", errors.New("busy"))
	r.part("prune", errors.New("held"))
	if rec := r.read(); rec.OK || len(rec.Failed) != 2 {
		t.Errorf("%+v", rec)
	}
	r.part("prune", nil)
	if rec := r.read(); rec.OK || rec.Error != "busy" {
		t.Errorf("%+v", rec)
	}
	r.part("", nil) // snapshots alone
	if rec := r.read(); !rec.OK {
		t.Errorf("%+v", rec)
	}
	both := &job.Run{Global: r.global, Job: &r.job, NoReplication: true}
	both.Before = func(context.Context) error { return nil }
	both.After = func(context.Context) error { return errors.New("held") }
	both.Do(context.Background())
	if rec := r.read(); rec.OK || rec.Error != "held" {
		t.Errorf("%+v", rec)
	}
	text, _ := json.Marshal(r.read())
	both.After = both.Before
	both.Do(context.Background())
	if rec := r.read(); !rec.OK {
		t.Errorf("%+v, before: %s", rec, text)
	}
	if _, err := os.Stat(filepath.Join(r.global.StateDir, "p.log")); err != nil {
		t.Error(err)
	}
}

// TestRecordNotWritten: the error says so also if the run itself failed, and
// the note stays, so that the old record is not taken for the newest.
func TestRecordNotWritten(t *testing.T) {
	for name, failure := range map[string]error{"the run is well": nil, "the run fails": errors.New("no link")} {
		t.Run(name, func(t *testing.T) {
			r := newRecorded(t)
			dir := state.Of(r.global)
			if err := os.MkdirAll(dir.Path("p.json/in the way"), 0o700); err != nil {
				t.Fatal(err)
			}
			os.Chmod(r.global.StateDir, 0o700)
			err := r.part("prune", failure)
			if err == nil || !strings.Contains(err.Error(), "cannot write the record of the run") || !errors.Is(err, cmp.Or(failure, err)) {
				t.Errorf("%v", err)
			}
			if when, _, _ := job.Begun(dir, r.global.RunDir, "p"); when.IsZero() {
				t.Error("the note is gone")
			}
			if _, err := os.Stat(dir.Path("p.json.new")); err == nil {
				t.Error("the half of a record is left")
			}
			os.RemoveAll(dir.Path("p.json"))
			if err := r.part("prune", nil); err != nil {
				t.Error(err)
			}
			if when, _, _ := job.Begun(dir, r.global.RunDir, "p"); !when.IsZero() {
				t.Error("the note is left after a record was written")
			}
		})
	}
}

// TestRecordUnshared: a group that does not exist costs a warning, not the
// record.
func TestRecordUnshared(t *testing.T) {
	r := newRecorded(t)
	r.global.Monitor.Group = "no-such-group"
	var said []string
	run := &job.Run{Global: r.global, Job: &r.job, Part: "prune", NoReplication: true, Say: func(s string) { said = append(said, s) }}
	if err := run.Do(context.Background()); err != nil {
		t.Error(err)
	}
	if len(said) != 1 || !strings.HasPrefix(said[0], "warning: ") || !strings.Contains(said[0], "no-such-group") {
		t.Errorf("%q", said)
	}
	r.read()
}
