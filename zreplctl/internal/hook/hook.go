// Package hook runs the commands that a job's configuration names, before and
// after its runs and its snapshots.
//
// It promises that a command of after_snapshot or after runs wherever one of
// before_snapshot or before was started: also if that failed, if the run fails
// or is cancelled, and, by the next run of the job, if this process was killed
// in between. No command runs for longer than its limit, and none is left when
// this process is gone. It prints nothing.
package hook

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
)

// Hooks are those of a job. All runs of a job that take snapshots must use
// them, and only one of them at a time.
type Hooks struct {
	Job string
	config.Hooks
	Dir    state.Dir
	Say    func(text string) // what a command printed, and what failed and is ignored
	DryRun bool              // says which commands would run, and runs none
	// Datasets lists those of the job whose snapshots it takes; may be nil.
	Datasets func(context.Context) ([]string, error)
	// Gone tells which of these datasets do not exist, though their pools do; may
	// be nil.
	Gone  func(context.Context, []string) ([]string, error)
	began bool // Before has started what After ends, whatever the note says by now
	// unwritten is in place of the note while Recover cannot write it.
	unwritten *owed
}

// Of returns the hooks of a job. One that has none may have had some.
func Of(j *config.Job, dir state.Dir, say func(string)) *Hooks {
	return &Hooks{Job: j.Name, Hooks: j.Hooks, Dir: dir, Say: say}
}

// What the environment of a command says in ZREPL_STATUS.
const (
	Taken   = "taken"   // after_snapshot: all of its datasets have their snapshot
	Failed  = "failed"  // after_snapshot: some have none; after: the run failed
	Skipped = "skipped" // after_snapshot: a hook before it failed, and none was taken
	OK      = "ok"      // after
	Stopped = "stopped" // after: the run was cancelled
	Unknown = "unknown" // the run was killed
)

// AbortError is the failure of a hook that ends the run.
type AbortError struct{ Err error }

func (e *AbortError) Error() string { return e.Err.Error() }
func (e *AbortError) Unwrap() error { return e.Err }

// Aborts reports whether an error ends the run.
func Aborts(err error) bool { return errors.As(err, new(*AbortError)) }

// Before runs what a run begins with.
func (h *Hooks) Before(ctx context.Context) error {
	if h == nil || h.DryRun || len(h.Hooks.Before)+len(h.Hooks.After) == 0 {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if len(h.Hooks.After) > 0 {
		if err := h.owe(func(o *owed) { o.Run, o.Hooks = true, text(h.ending()) }); err != nil {
			return &AbortError{err}
		}
	}
	h.began = true
	var errs []error
	for i := range h.Hooks.Before {
		hook := &h.Hooks.Before[i]
		err := h.onFailure(hook, h.call(ctx, call{when: config.KeyBefore, hook: hook}))
		errs = append(errs, err)
		if Aborts(err) || ctx.Err() != nil {
			break
		}
	}
	return errors.Join(errs...)
}

// After runs what a run ends with, whatever has become of it. Err is how it
// ended. It runs nothing if Before did not get as far as to start a command.
func (h *Hooks) After(ctx context.Context, err error) error {
	if h == nil || h.DryRun || len(h.Hooks.After) == 0 || !h.began {
		return nil
	}
	h.began = false
	status, why := OK, ""
	if err != nil {
		status, why = Failed, err.Error()
	}
	if ctx.Err() != nil {
		status = Stopped
	}
	return h.runAfter(ctx, status, why)
}

func (h *Hooks) runAfter(ctx context.Context, status, why string) error {
	ctx = context.WithoutCancel(ctx)
	var errs []error
	failed := false
	for i := range h.Hooks.After {
		hook := &h.Hooks.After[i]
		err := h.call(ctx, call{when: config.KeyAfter, hook: hook, status: status, why: why})
		failed = failed || err != nil && hook.OnFailure != config.Ignore
		errs = append(errs, h.onFailure(hook, err))
	}
	if !failed {
		errs = append(errs, h.owe(func(o *owed) { o.Run = false }))
	}
	return errors.Join(errs...)
}

// onFailure is what a failure means for the run.
func (h *Hooks) onFailure(hook *config.Hook, err error) error {
	switch {
	case err == nil:
		return nil
	case hook.OnFailure == config.Ignore:
		h.say("warning: " + err.Error())
		return nil
	case hook.OnFailure == config.Abort:
		return &AbortError{err}
	}
	return err
}

func (h *Hooks) say(text string) {
	if h.Say != nil {
		h.Say(text)
	}
}

// Describe says which commands a run calls, a line each.
func Describe(hooks *config.Hooks) (lines []string) {
	for _, of := range []struct {
		key string
		all []config.Hook
	}{{config.KeyBefore, hooks.Before}, {config.KeyBeforeSnapshot, hooks.BeforeSnapshot},
		{config.KeyAfterSnapshot, hooks.AfterSnapshot}, {config.KeyAfter, hooks.After}} {
		for _, hook := range of.all {
			lines = append(lines, would(of.key, &hook))
		}
	}
	return lines
}

func would(key string, hook *config.Hook) string {
	return fmt.Sprintf("would run %s hook %q", key, hook.Command)
}

// concerned are those of datasets that a hook is about.
func concerned(hook *config.Hook, datasets []string) []string {
	return slices.DeleteFunc(slices.Clone(datasets), func(ds string) bool { return !hook.Passes(ds) })
}

// rounds parts datasets by the calls of a hook: one for all, or one for each.
func rounds(hook *config.Hook, datasets []string) (all [][]string) {
	switch {
	case len(datasets) == 0:
		return nil
	case !hook.Each:
		return [][]string{datasets}
	}
	for _, ds := range datasets {
		all = append(all, []string{ds})
	}
	return all
}
