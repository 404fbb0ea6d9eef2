package snap

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/child"
)

// Hooks are programs to run before and after a dataset's snapshot is taken.
// They get in their environment ZSNAP_HOOK (before or after), ZSNAP_DATASET,
// ZSNAP_SNAPSHOT (the full name), and for the later one ZSNAP_RESULT (taken,
// failed, or skipped where the hook before failed).
type Hooks struct {
	Before, After string        // programs; empty: none
	Timeout       time.Duration // for each call; it is killed with its group then
	Abort         bool          // a hook that fails before ends the run instead of sparing its dataset
	Output        *os.File      // for their standard output; nil: nowhere
}

// notRun is why a program did not run at all.
type notRun struct{ error }

func (h *Hooks) call(ctx context.Context, program, when, ds, snapshot, result string) error {
	if h.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, h.Timeout, fmt.Errorf("it ran longer than %v", h.Timeout))
		defer cancel()
	}
	env := slices.DeleteFunc(os.Environ(), func(e string) bool { return strings.HasPrefix(e, "ZSNAP_RESULT=") })
	env = append(env, "ZSNAP_HOOK="+when, "ZSNAP_DATASET="+ds, "ZSNAP_SNAPSHOT="+snapshot)
	if result != "" {
		env = append(env, "ZSNAP_RESULT="+result)
	}
	p, err := child.Start(ctx, child.Cmd{Args: []string{program}, Env: env, Stdout: h.Output, Group: true})
	if err != nil {
		return notRun{err}
	}
	status := p.Wait()
	switch {
	case status.OK():
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	return errors.New(status.String())
}

// before runs the hooks of a batch of datasets and returns those to snapshot,
// and those whose hook ran. With abort, the run ends.
func (r *run) before(ctx context.Context, batch []string) (goOn, ran []string, abort bool) {
	h := &r.o.Hooks
	if h.Before == "" {
		return batch, batch, false
	}
	for _, ds := range batch {
		err := h.call(ctx, h.Before, "before", ds, ds+"@"+r.short, "")
		if !errors.As(err, new(notRun)) {
			ran = append(ran, ds)
		}
		if err == nil {
			goOn = append(goOn, ds)
			continue
		}
		r.fail(ds, fmt.Errorf("hook %q failed before the snapshot: %w", h.Before, err))
		if h.Abort || ctx.Err() != nil {
			return nil, ran, true
		}
	}
	return goOn, ran, false
}

// after runs the later hook of all whose earlier one ran, whatever became of
// the snapshots, and also when the run was cancelled meanwhile: what the first
// has stopped, the second must start again.
func (r *run) after(ctx context.Context, ran []string, results map[string]string) {
	h := &r.o.Hooks
	if h.After == "" {
		return
	}
	ctx = context.WithoutCancel(ctx)
	for _, ds := range ran {
		result := results[ds]
		if result == "" {
			result = "skipped"
		}
		if err := h.call(ctx, h.After, "after", ds, ds+"@"+r.short, result); err != nil {
			r.fail(ds, fmt.Errorf("hook %q failed after the snapshot: %w", h.After, err))
		}
	}
}
