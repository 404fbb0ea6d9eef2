package job

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/child"
	"github.com/zrepl-tools/zrepl-tools/lib/clean"
	"github.com/zrepl-tools/zrepl-tools/lib/progress"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
)

// Past is one run, or one connection of a client, as the history has it.
type Past struct {
	Job     string        `json:"job"`
	Part    string        `json:"part,omitempty"`   // the command, if it was not the whole job
	Client  string        `json:"client,omitempty"` // whose connection it was
	Started progress.Time `json:"started,omitzero"`
	Ended   progress.Time `json:"ended,omitzero"`
	OK      bool          `json:"ok"`
	Stopped bool          `json:"stopped,omitempty"`
	Killed  bool          `json:"killed,omitempty"` // it did not come to its end
	Bytes   uint64        `json:"bytes"`
	Moved   int           `json:"moved"` // datasets that got something, or streams
	// Restored are those of the streams with which a client took back what it had sent.
	Restored int    `json:"restored,omitempty"`
	Failed   int    `json:"failed"` // datasets
	Error    string `json:"error,omitempty"`
	Note     string `json:"note,omitempty"` // what a person should know of a run, though it is no error
}

// Text is the error and the note.
func (p Past) Text() string {
	if p.Error != "" && p.Note != "" {
		return p.Error + "; " + p.Note
	}
	return p.Error + p.Note
}

const (
	maxLog  = 1 << 20 // bytes of a job's history
	maxPast = 5000    // runs of it
)

func logName(job string) string { return job + ".log" }

// ReadPast returns a job's runs, the oldest first. A line that was not written
// whole is left out.
func ReadPast(dir state.Dir, job string) (all []Past, err error) {
	text, err := dir.Read(logName(job), 2*maxLog)
	if err != nil {
		return nil, unlessMissing(err)
	}
	for line := range bytes.Lines(text) {
		var p Past
		if json.Unmarshal(line, &p) == nil {
			all = append(all, p)
		}
	}
	return all, nil
}

// logRuns adds runs to a job's history, and leaves out the oldest if it
// becomes too long. The job's lock is held.
func logRuns(dir state.Dir, job string, more ...Past) error {
	text, err := dir.Read(logName(job), 2*maxLog)
	if err != nil {
		text = nil
	}
	for _, p := range more {
		line, err := clean.JSON(p)
		if err != nil {
			return err
		}
		text = append(append(text, line...), '\n')
	}
	for n := bytes.Count(text, []byte("\n")); len(text) > maxLog || n > maxPast; n-- {
		_, text, _ = bytes.Cut(text, []byte("\n"))
	}
	if err := dir.Write(logName(job), text); err != nil {
		return fmt.Errorf("cannot write the history of runs: %w", err)
	}
	return nil
}

// past is what a run has come to.
func (r *Run) past(started, ended progress.Time, err error, stopped bool) Past {
	s := r.Tracker.Snapshot()
	p := Past{Job: r.Job.Name, Part: r.part(), Started: started, Ended: ended, OK: err == nil && !stopped, Stopped: stopped, Bytes: s.Bytes}
	if err != nil {
		p.Error = child.Clean(err.Error(), maxErrorBytes)
	}
	for _, d := range s.Datasets {
		if d.Bytes > 0 {
			p.Moved++
		}
		if d.State == progress.Failed {
			p.Failed++
		}
	}
	p.Note = noteOf(anewNote(s.Datasets), goneNote(r.gone))
	return p
}

// maxNamed is how many copies a note names.
const maxNamed = 5

// anewNote names the copies that a run sent anew.
func anewNote(datasets []progress.Dataset) string {
	var gone, aside []string
	for _, d := range datasets {
		switch {
		case d.Anew == nil:
		case d.Aside != "":
			aside = append(aside, quote(d.Target)+" as "+quote(d.Aside))
		default:
			gone = append(gone, quote(d.Target))
		}
	}
	var notes []string
	if len(gone) > 0 {
		notes = append(notes, "these copies were gone and were sent anew: "+someOf(gone))
	}
	if len(aside) > 0 {
		notes = append(notes, "these copies were set aside and were sent anew: "+someOf(aside))
	}
	return strings.Join(notes, "; ")
}

// someOf names some copies.
func someOf(names []string) string {
	if n := len(names); n > maxNamed {
		names = append(names[:maxNamed], fmt.Sprintf("and %d more", n-maxNamed))
	}
	return strings.Join(names, ", ")
}

// killed is a run that left its note and no record. The job's lock is held, so
// that it is over.
func killed(dir state.Dir, job string) []Past {
	when, _, _ := Begun(dir, "", job)
	if when.IsZero() {
		return nil
	}
	part := readBegun(dir, job).Part
	return []Past{{Job: job, Part: part, Started: progress.At(when), Killed: true, Error: "it was killed, could not write its record, or this host went down"}}
}
