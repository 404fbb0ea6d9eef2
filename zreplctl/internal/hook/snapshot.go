package hook

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
)

// snapshots is what happens around the snapshots of one run.
type snapshots struct {
	h       *Hooks
	ctx     context.Context
	short   string
	goOn    []string
	reached map[string]bool // a hook before has started, or there is none
	held    []held
	errs    []error
	why     error // the last failure of a hook before
}

// held is a command that runs until the snapshots are taken.
type held struct {
	call    call
	process *process
}

// Around runs the hooks around snapshots; see snap.Options.
func (h *Hooks) Around(ctx context.Context, short string, due []string) (goOn []string, done func(taken map[string]bool) error, err error) {
	s := &snapshots{h: h, ctx: ctx, short: short, goOn: due, reached: map[string]bool{}}
	if !h.DryRun {
		err = s.start()
		return s.goOn, s.done, err
	}
	s.describe(config.KeyBeforeSnapshot, h.BeforeSnapshot)
	s.describe(config.KeyAfterSnapshot, h.AfterSnapshot)
	return due, nil, nil
}

// start runs the hooks before the snapshots. The error ends the run.
func (s *snapshots) start() (err error) {
	for i := range s.h.BeforeSnapshot {
		if err = s.before(&s.h.BeforeSnapshot[i]); err != nil {
			break
		}
	}
	if err == nil {
		err = s.reach(s.goOn) // also those that no hook was about before
	}
	if err != nil {
		s.goOn = nil
	}
	return err
}

func (s *snapshots) describe(key string, hooks []config.Hook) {
	for i := range hooks {
		for _, datasets := range rounds(&hooks[i], concerned(&hooks[i], s.goOn)) {
			s.h.say(would(key, &hooks[i]) + " for " + shortly(datasets))
		}
	}
}

// before runs one hook for the datasets that go on. The error ends the run.
func (s *snapshots) before(hook *config.Hook) error {
	for _, datasets := range rounds(hook, concerned(hook, s.goOn)) {
		if err := s.ctx.Err(); err != nil {
			return err
		}
		err := s.call(hook, datasets)
		if err == nil {
			continue
		}
		s.why = err
		if err = s.h.onFailure(hook, err); Aborts(err) {
			return err
		}
		if err != nil {
			s.errs = append(s.errs, err)
			left := map[string]bool{}
			for _, ds := range datasets {
				left[ds] = true
			}
			s.goOn = slices.DeleteFunc(slices.Clone(s.goOn), func(ds string) bool { return left[ds] })
		}
	}
	return s.ctx.Err()
}

// call notes what will have to run after a hook, and starts it.
func (s *snapshots) call(hook *config.Hook, datasets []string) error {
	c := call{when: config.KeyBeforeSnapshot, hook: hook, datasets: datasets, snapshot: s.short}
	if err := c.fits(); err != nil { // it will not start: nothing is to run after it
		return c.fail(err)
	}
	if err := s.reach(datasets); err != nil {
		return err
	}
	if !hook.Hold {
		return s.h.call(s.ctx, c)
	}
	p, err := s.h.hold(s.ctx, c)
	if err == nil {
		s.held = append(s.held, held{c, p})
	}
	return err
}

// reach notes that the hooks of after_snapshot are to run for datasets.
func (s *snapshots) reach(datasets []string) error {
	var fresh []string
	for _, ds := range datasets {
		owed := slices.ContainsFunc(s.h.AfterSnapshot, func(hook config.Hook) bool { return hook.Passes(ds) })
		if !s.reached[ds] && owed {
			fresh = append(fresh, ds)
		}
	}
	if len(fresh) > 0 {
		err := s.h.owe(func(o *owed) {
			o.Snapshot = s.short
			o.Datasets = union(o.Datasets, fresh)
			o.Hooks = text(s.h.ending())
		})
		if err != nil {
			return err
		}
	}
	for _, ds := range datasets {
		s.reached[ds] = true
	}
	return nil
}

func union(old, fresh []string) []string {
	all := slices.Concat(old, fresh)
	slices.Sort(all)
	return slices.Compact(all)
}

// done ends the commands that run still, and runs the hooks after the
// snapshots.
func (s *snapshots) done(taken map[string]bool) error {
	for _, held := range slices.Backward(s.held) {
		if err := s.h.release(s.ctx, held); err != nil {
			s.errs = append(s.errs, s.h.onFailure(held.call.hook, err))
		}
	}
	status := func(datasets []string) (string, string) { return s.status(taken, datasets) }
	var reached []string
	for ds := range s.reached {
		reached = append(reached, ds)
	}
	slices.Sort(reached)
	s.errs = append(s.errs, s.h.afterSnapshot(s.ctx, s.short, reached, status))
	return errors.Join(s.errs...)
}

// status is what has become of the snapshots of datasets.
func (s *snapshots) status(taken map[string]bool, datasets []string) (status, why string) {
	goesOn := map[string]bool{}
	for _, ds := range s.goOn {
		goesOn[ds] = true
	}
	got, tried := 0, 0
	for _, ds := range datasets {
		if taken[ds] {
			got++
		}
		if goesOn[ds] {
			tried++
		}
	}
	switch {
	case got == len(datasets):
		return Taken, ""
	case tried == 0:
		return Skipped, s.reason()
	}
	return Failed, fmt.Sprintf("%d of %d snapshots were not taken", len(datasets)-got, len(datasets))
}

// reason says why no snapshot was tried.
func (s *snapshots) reason() string {
	if s.why == nil {
		return "the run was cancelled"
	}
	return s.why.Error()
}

// afterSnapshot runs the hooks of after_snapshot for datasets, also in a run
// that is cancelled: what another hook has stopped, they start again. Those
// that fail stay noted.
func (h *Hooks) afterSnapshot(ctx context.Context, short string, datasets []string, status func([]string) (string, string)) error {
	if len(datasets) == 0 {
		return nil
	}
	ctx = context.WithoutCancel(ctx)
	var errs []error
	failed := map[string]bool{}
	for i := range h.AfterSnapshot {
		hook := &h.AfterSnapshot[i]
		for _, some := range rounds(hook, concerned(hook, datasets)) {
			word, why := status(some)
			err := h.call(ctx, call{when: config.KeyAfterSnapshot, hook: hook, datasets: some, snapshot: short, status: word, why: why})
			if err != nil && hook.OnFailure != config.Ignore {
				for _, ds := range some {
					failed[ds] = true
				}
			}
			errs = append(errs, h.onFailure(hook, err))
		}
	}
	over := map[string]bool{}
	for _, ds := range datasets {
		over[ds] = !failed[ds]
	}
	errs = append(errs, h.owe(func(o *owed) {
		o.Datasets = slices.DeleteFunc(slices.Clone(o.Datasets), func(ds string) bool { return over[ds] })
	}))
	return errors.Join(errs...)
}

// shortly names a few datasets.
func shortly(datasets []string) string {
	const shown = 3
	if len(datasets) <= shown {
		return strings.Join(datasets, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(datasets[:shown], ", "), len(datasets)-shown)
}
