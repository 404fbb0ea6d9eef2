package hook

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
)

// removed is a call that is owed and for which the job has no hook any more.
type removed struct {
	Hook     string   `json:"hook,omitempty"` // see config.ParseHooks; empty: it is not known
	Snapshot string   `json:"snapshot,omitempty"`
	Datasets []string `json:"datasets,omitempty"` // of after_snapshot; none: it is one of after
}

// ending are the hooks of the job that end what others began.
func (h *Hooks) ending() config.Hooks {
	return config.Hooks{AfterSnapshot: h.AfterSnapshot, After: h.Hooks.After}
}

// text is empty if there is no hook.
func text(hooks config.Hooks) string {
	if hooks.None() {
		return ""
	}
	s, err := hooks.Text()
	if err != nil { // then it is not known what they run, and the next run says so
		return ""
	}
	return s
}

func parse(text string) (hooks config.Hooks, known bool) {
	if text == "" {
		return config.Hooks{}, false
	}
	hooks, err := config.ParseHooks(text)
	return hooks, err == nil
}

// setAside takes out of a note what the hooks of now do not do, with the hooks
// that did it when the note was made. What is not known may be known by now.
func (h *Hooks) setAside(o owed) owed {
	old := o.Removed
	o.Removed = nil
	for _, r := range old {
		switch {
		case r.Hook != "":
			o.Removed = append(o.Removed, r)
		case len(r.Datasets) > 0:
			o.Datasets = union(o.Datasets, r.Datasets)
		default:
			o.Run = true
		}
	}
	had, _ := parse(o.Hooks)
	o = h.datasetsAside(o, had.AfterSnapshot)
	if o.Run {
		before, now := pointers(had.After), pointers(h.Hooks.After)
		missing, changed := compareHooks(before, now)
		for _, hook := range missing {
			o.Removed = append(o.Removed, removed{Hook: alone(config.Hooks{After: []config.Hook{*hook}})})
		}
		h.sayChanged(before, changed)
		if len(before)+len(now) == 0 {
			o.Removed = append(o.Removed, removed{})
		}
		o.Run = len(now) > 0
	}
	o.Hooks = text(h.ending())
	return o
}

func (h *Hooks) datasetsAside(o owed, had []config.Hook) owed {
	of, unknown := map[*config.Hook][]string{}, []string(nil)
	replaced := map[*config.Hook]*config.Hook{}
	o.Datasets = slices.DeleteFunc(slices.Clone(o.Datasets), func(ds string) bool {
		before, now := passing(had, ds), passing(h.AfterSnapshot, ds)
		missing, changed := compareHooks(before, now)
		for _, hook := range missing {
			of[hook] = append(of[hook], ds)
		}
		maps.Copy(replaced, changed)
		if len(before)+len(now) == 0 {
			unknown = append(unknown, ds)
		}
		return len(now) == 0
	})
	for _, hook := range pointers(had) {
		if len(of[hook]) > 0 {
			o.Removed = append(o.Removed, removed{alone(config.Hooks{AfterSnapshot: []config.Hook{*hook}}), o.Snapshot, of[hook]})
		}
	}
	h.sayChanged(pointers(had), replaced)
	if len(unknown) > 0 {
		o.Removed = append(o.Removed, removed{"", o.Snapshot, unknown})
	}
	return o
}

// alone is the text of one hook. A job that does not have it any more is not to
// stand still for it.
func alone(one config.Hooks) string {
	for _, hook := range append(pointers(one.AfterSnapshot), pointers(one.After)...) {
		if hook.OnFailure == config.Abort {
			hook.OnFailure = config.Skip
		}
	}
	return text(one)
}

func passing(hooks []config.Hook, ds string) []*config.Hook {
	return slices.DeleteFunc(pointers(hooks), func(hook *config.Hook) bool { return !hook.Passes(ds) })
}

func pointers(hooks []config.Hook) (all []*config.Hook) {
	for i := range hooks {
		all = append(all, &hooks[i])
	}
	return all
}

// runRemoved runs what was set aside. What fails, and what nobody knows, stays
// noted until it succeeds or a person acts.
func (h *Hooks) runRemoved(ctx context.Context, all []removed) error {
	if len(all) == 0 {
		return nil
	}
	ctx = context.WithoutCancel(ctx)
	var errs []error
	var left []removed
	for _, r := range all {
		hooks, known := parse(r.Hook)
		if known {
			err := h.runOne(ctx, &r, hooks)
			errs = append(errs, err)
			if err == nil {
				continue
			}
		}
		ofDatasets := len(r.Datasets) > 0
		if r = h.without(ctx, r); ofDatasets && len(r.Datasets) == 0 {
			continue
		}
		if !known {
			errs = append(errs, errors.New("an earlier run did not finish its hooks, and it is not known what they run: "+r.what()))
		}
		left = append(left, r)
	}
	if len(left) > 0 {
		h.say(fmt.Sprintf("warning: hooks that the job does not have any more are to run still: to give them up, remove %q while the job does not run",
			h.Dir.Where(owedName(h.Job))))
	}
	return errors.Join(append(errs, h.owe(func(o *owed) { o.Removed = left }))...)
}

// trusted is a note without its commands if another user could have written them.
func (h *Hooks) trusted(o owed) (owed, error) {
	distrust := h.Dir.Ours(owedName(h.Job))
	if distrust == nil || o.Hooks == "" && len(o.Removed) == 0 {
		return o, nil
	}
	o.Hooks = ""
	for i := range o.Removed {
		o.Removed[i].Hook = ""
	}
	return o, fmt.Errorf("cannot believe which commands %q names: %w", h.Dir.Where(owedName(h.Job)), distrust)
}

func (r *removed) what() string {
	if len(r.Datasets) == 0 {
		return config.KeyAfter
	}
	return config.KeyAfterSnapshot + " for " + shortly(r.Datasets)
}

// runOne runs one hook that was set aside, and leaves in r the datasets for which
// it failed.
func (h *Hooks) runOne(ctx context.Context, r *removed, hooks config.Hooks) error {
	for _, hook := range pointers(hooks.After) {
		h.sayRemoved(hook)
		return h.onFailure(hook, h.call(ctx, call{when: config.KeyAfter, hook: hook, status: Unknown, why: whyUnknown}))
	}
	var errs []error
	var failed []string
	for _, hook := range pointers(hooks.AfterSnapshot) {
		h.sayRemoved(hook)
		for _, some := range inParts(rounds(hook, r.Datasets)) {
			err := h.call(ctx, call{when: config.KeyAfterSnapshot, hook: hook, datasets: some, snapshot: r.Snapshot, status: Unknown, why: whyUnknown})
			if err = h.onFailure(hook, err); err != nil {
				failed = append(failed, some...)
				errs = append(errs, err)
			}
		}
	}
	r.Datasets = failed
	return errors.Join(errs...)
}

func (h *Hooks) sayRemoved(hook *config.Hook) {
	h.say(fmt.Sprintf("warning: an earlier run left a hook that the job does not have any more, and it runs now: %q", hook.Command))
}

// inParts parts calls whose names ZREPL_DATASETS does not hold: nobody is there to
// change such a hook.
func inParts(calls [][]string) (parts [][]string) {
	for _, datasets := range calls {
		size, from := 0, 0
		for i, ds := range datasets {
			if size += len(ds) + 1; size > maxNames && i > from {
				parts = append(parts, datasets[from:i])
				size, from = len(ds)+1, i
			}
		}
		parts = append(parts, datasets[from:])
	}
	return parts
}

// without takes out datasets that do not exist any more: what they need would
// fail in every later run. What is left may be nothing.
func (h *Hooks) without(ctx context.Context, r removed) removed {
	if h.Gone == nil || len(r.Datasets) == 0 {
		return r
	}
	gone, err := h.Gone(ctx, r.Datasets)
	if err != nil || len(gone) == 0 {
		return r
	}
	h.say("warning: after_snapshot hooks failed for " + shortly(gone) + ", which does not exist any more: later runs do not run them again")
	r.Datasets = slices.DeleteFunc(slices.Clone(r.Datasets), func(ds string) bool { return slices.Contains(gone, ds) })
	return r
}

// Left are the commands that a job which is not in the configuration any more left
// to run, as far as its note has them.
func Left(dir state.Dir, job string) (commands [][]string) {
	h := &Hooks{Job: job, Dir: dir}
	o, err := h.owes()
	if err != nil {
		return nil
	}
	for _, r := range h.setAside(o).Removed {
		hooks, _ := parse(r.Hook)
		for _, hook := range append(pointers(hooks.AfterSnapshot), pointers(hooks.After)...) {
			commands = append(commands, hook.Command)
		}
	}
	return commands
}
