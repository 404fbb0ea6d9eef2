package hook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
)

// owed is what is to run still because something ran before it. It is on disk
// before that starts: whatever then kills this process, or this host, the next
// run of the job finds it.
type owed struct {
	Run      bool     `json:"run,omitempty"`      // the hooks of after
	Snapshot string   `json:"snapshot,omitempty"` // the name after the @
	Datasets []string `json:"datasets,omitempty"` // for which those of after_snapshot run
	// Hooks are those of after_snapshot and after, as the configuration had them:
	// see config.ParseHooks.
	Hooks   string    `json:"hooks,omitempty"`
	Removed []removed `json:"removed,omitempty"` // what the hooks of a later configuration do not do
}

func (o owed) nothing() bool { return !o.Run && len(o.Datasets)+len(o.Removed) == 0 }

// maxOwed bounds the note: 200,000 datasets of 250 bytes.
const maxOwed = 64 << 20

const owedEnd = ".hooks"

func owedName(job string) string { return job + owedEnd }

// Orphans names the jobs that owe hooks and are none of these: no run will run
// them.
func Orphans(dir state.Dir, jobs []*config.Job) []string {
	return slices.DeleteFunc(dir.Files(owedEnd), func(name string) bool {
		return slices.ContainsFunc(jobs, func(j *config.Job) bool { return j.Name == name })
	})
}

// Owes reports whether a run of the job was killed before all of its hooks had
// run, or one of them failed.
func Owes(dir state.Dir, job string) bool { return dir.Has(owedName(job)) }

// damagedError says that a note was read and makes no sense. Nobody knows what
// it said. One that could not be read may still be good.
type damagedError struct{ cause error }

func (e *damagedError) Error() string { return "it is damaged: " + e.cause.Error() }
func (e *damagedError) Unwrap() error { return e.cause }

// owes reads the note.
func (h *Hooks) owes() (o owed, err error) {
	if h.unwritten != nil {
		return *h.unwritten, nil
	}
	text, err := h.Dir.Read(owedName(h.Job), maxOwed)
	if errors.Is(err, fs.ErrNotExist) {
		return owed{}, nil
	}
	if err == nil {
		if damage := json.Unmarshal(text, &o); damage != nil {
			err = &damagedError{damage}
		}
	}
	if err != nil {
		return owed{}, fmt.Errorf("cannot read which hooks are to run still: %q: %w", h.Dir.Where(owedName(h.Job)), err)
	}
	return o, nil
}

// owe changes the note.
func (h *Hooks) owe(change func(*owed)) error {
	if h.Dir.IsNone() {
		return nil
	}
	before, err := h.owes()
	if err != nil {
		return err
	}
	o := before
	change(&o)
	if h.unwritten != nil {
		*h.unwritten = o
		return nil
	}
	old, err := json.Marshal(before)
	if err != nil {
		return err
	}
	if text, err := json.Marshal(o); err == nil && bytes.Equal(text, old) && !o.nothing() {
		return nil
	}
	return h.write(o)
}

// write replaces the note, or removes it if nothing is to run.
func (h *Hooks) write(o owed) error {
	if o.nothing() {
		if err := h.Dir.Remove(owedName(h.Job)); err != nil {
			return fmt.Errorf("cannot note that hooks have run: %w", err)
		}
		return nil
	}
	text, err := json.Marshal(o)
	if err == nil {
		// Commands can hold what only the owner of the configuration may read.
		err = h.Dir.Private().Write(owedName(h.Job), append(text, '\n'))
	}
	if err == nil {
		err = h.Dir.Sync() // before the command that the note is about starts
	}
	if err != nil {
		return fmt.Errorf("cannot note which hooks are to run: %w", err)
	}
	return nil
}

// Recover runs what a run that was killed has left to run. What fails is tried
// again by the next run.
func (h *Hooks) Recover(ctx context.Context) error {
	if h == nil || h.DryRun {
		return nil
	}
	o, damage := h.owes()
	if damage != nil {
		var err error
		if o, err = h.everything(ctx, damage); err != nil {
			return &AbortError{errors.Join(damage, err)}
		}
	}
	if o.nothing() {
		return damage
	}
	h.say("an earlier run did not finish its hooks: running after_snapshot and after now")
	var distrust error
	if damage == nil {
		o, distrust = h.trusted(o)
	}
	return errors.Join(damage, distrust, h.runOwed(ctx, h.setAside(o), damage != nil))
}

// runOwed notes what is to run with the hooks of now, and runs it. A full disk
// does not keep a database stopped: what was noted before then stays until all
// has run.
func (h *Hooks) runOwed(ctx context.Context, o owed, damaged bool) error {
	unwritten := h.rewrite(o, damaged)
	if unwritten == nil {
		return h.runNoted(ctx, o)
	}
	left := o
	h.unwritten = &left
	err := h.runNoted(ctx, o)
	h.unwritten = nil
	if again := h.rewrite(left, damaged); again != nil {
		// The old note has the commands that it had. A run that went on would replace
		// them by those of now.
		unwritten = &AbortError{again}
	}
	return errors.Join(unwritten, err)
}

// rewrite replaces the note, whatever it says. A damaged one cannot be changed.
func (h *Hooks) rewrite(o owed, damaged bool) error {
	if damaged {
		return h.write(o)
	}
	return h.owe(func(noted *owed) { *noted = o })
}

func (h *Hooks) runNoted(ctx context.Context, o owed) error {
	var errs []error
	if len(o.Datasets) > 0 {
		err := h.afterSnapshot(ctx, o.Snapshot, o.Datasets, func([]string) (string, string) { return Unknown, whyUnknown })
		errs = append(errs, err, h.forgetGone(ctx))
	}
	if o.Run {
		errs = append(errs, h.runAfter(ctx, Unknown, whyUnknown))
	}
	return errors.Join(append(errs, h.runRemoved(ctx, o.Removed))...)
}

const whyUnknown = "the run that ran the hooks before was killed, or a hook after it failed"

// forgetGone takes datasets out of the note that do not exist any more. The hooks
// have just been tried for them, and would fail in every later run.
func (h *Hooks) forgetGone(ctx context.Context) error {
	o, err := h.owes()
	if err != nil || h.Gone == nil || len(o.Datasets) == 0 {
		return err
	}
	gone, err := h.Gone(ctx, o.Datasets)
	if err != nil || len(gone) == 0 {
		return err
	}
	h.say("warning: after_snapshot hooks failed for " + shortly(gone) + ", which does not exist any more: later runs do not run them again")
	return h.owe(func(o *owed) {
		o.Datasets = slices.DeleteFunc(slices.Clone(o.Datasets), func(ds string) bool { return slices.Contains(gone, ds) })
	})
}

// everything is what is to run instead of what a damaged note says: all. A command
// that runs once too often does no harm, and one that is left out may leave a
// database stopped. A note that could not be read is left alone.
func (h *Hooks) everything(ctx context.Context, damage error) (o owed, err error) {
	if !errors.As(damage, new(*damagedError)) {
		return o, errors.New("no snapshot is taken until it can be read")
	}
	if hooks := h.ending(); hooks.None() {
		return o, nil // nobody knows what would have to run: the note stays, and so does the failure
	}
	o.Run = len(h.Hooks.After) > 0
	if h.Datasets != nil && len(h.AfterSnapshot) > 0 {
		if o.Datasets, err = h.Datasets(ctx); err != nil {
			return owed{}, err
		}
	}
	if o.nothing() {
		return o, h.write(o)
	}
	o.Hooks = text(h.ending())
	return o, nil
}
