// Package choose finds out which datasets of this host a job's select chooses.
//
// It promises that it only ever leaves out datasets that the job's rules allow,
// and that one of these about which ZFS does not answer is an error: it never
// counts as one that is not chosen. What the rules leave out has no say, not
// even by an error. It changes nothing.
package choose

import (
	"context"
	"fmt"
	"slices"

	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
)

// Look returns the job with rules that leave out what select does not choose
// now. It costs one command, or two if a dataset above the rules' has the
// property, and none for a job without select; two more if what the rules leave
// out cannot be read.
func Look(ctx context.Context, z *zfs.ZFS, j *config.Job) (*config.Job, error) {
	if j.Select == nil {
		return j, nil
	}
	roots, all := j.Sources().Roots()
	if len(roots) == 0 && !all {
		return j.Narrowed(nil), nil
	}
	names, exact := j.Sources().Exact()
	if exact { // what is below them may be much
		roots = names
	}
	if all {
		roots = nil
	}
	choices, err := z.Selected(ctx, roots, !exact, *j.Select, j.Allows)
	if err != nil {
		return nil, fmt.Errorf("cannot choose datasets by %q: %w", j.Select, err)
	}
	return j.Narrowed(choices), nil
}

// None says that select chooses none of the datasets that the rules allow, nil
// if it chooses some, or if there is none to choose from.
func None(j *config.Job) error {
	if j.Select == nil {
		return nil
	}
	allowed, received := 0, 0
	for name, c := range j.Choices {
		switch {
		case !j.Allows(name):
		case c.Chosen:
			return nil
		default:
			allowed++
			if c.Received && c.Setting.Value == j.Select.Value {
				received++
			}
		}
	}
	if allowed == 0 {
		return nil
	}
	hint := ""
	if received > 0 {
		hint = fmt.Sprintf(" (%d received it from a sender, which does not count: zfs set it here)", received)
	}
	return fmt.Errorf("none of the %d datasets that the rules allow has the property %q%s", allowed, j.Select, hint)
}

// Listed are the datasets that the rules allow, in order, as they were when
// somebody looked.
func Listed(j *config.Job) (names []string) {
	for name := range j.Choices {
		if j.Allows(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
