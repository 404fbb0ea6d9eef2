package job

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/zrepl-tools/zrepl-tools/lib/replicate"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
)

// errBack says that the source of a copy is gone no more.
var errBack = errors.New("its source was gone when the run began, and is not now")

// lookAgain looks at both ends once more before copies go: between the run's first look
// and its end there may be days. It returns what says why one of them stays.
func (v *vanished) lookAgain(ctx context.Context) (stay func(target string) error) {
	all, err := v.engine.Vanished(ctx)
	if err != nil {
		return func(string) error { return fmt.Errorf("cannot look again whether its source is gone: %w", err) }
	}
	v.found = lookFor(all)
	doubt := mostGone(all, v.notes)
	now := map[string]replicate.Vanished{}
	for _, one := range all {
		now[one.Target] = one
	}
	return func(target string) error {
		one, gone := now[target]
		if !gone || one.Source != v.from[target] {
			return errBack
		}
		one.Doubt = cmp.Or(one.Doubt, doubt)
		why, _, err := v.stays(ctx, one, v.notes[target])
		if err == nil && why != "" {
			err = errors.New(why)
		}
		return err
	}
}

// absent asks for a source by its name, right before its copy goes. It refuses unless
// the answer is that it does not exist.
func (v *vanished) absent(ctx context.Context, source string) error {
	if v.r.Job.Type != config.Local {
		return v.engine.Lacks(ctx, source)
	}
	there, err := v.receiver.ZFS.Datasets(ctx, []string{source}, false, "guid")
	switch {
	case zfs.Present(err) != nil:
		return fmt.Errorf("cannot tell whether its source %q exists: %w", source, err)
	case len(there) > 0:
		return fmt.Errorf("its source %q exists", source)
	}
	return nil
}

// mostGone is replicate.MostGone by how many copies the job had when each of those was
// missed that are gone: what came since says nothing of what was lost then.
func mostGone(all []replicate.Vanished, notes map[string]state.Vanishing) string {
	var listed []int
	for _, one := range all {
		if n := cmp.Or(notes[one.Target].Listed, one.Listed); n > 0 {
			listed = append(listed, n)
		}
	}
	slices.Sort(listed)
	for i, had := range listed {
		if i+1 < len(listed) && listed[i+1] == had {
			continue
		}
		if doubt := replicate.MostGone(i+1, had); doubt != "" { // so many had no more copies beside them
			return doubt
		}
	}
	return ""
}
