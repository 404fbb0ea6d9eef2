package job

import (
	"errors"

	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
)

// unusableOnce leaves of the errors of a run one that says that the state
// directory cannot be used. Everything that is noted there fails for it.
func unusableOnce(err error) error {
	var rest []error
	var first *state.DirError
	for _, e := range parts(err) {
		if dir := (*state.DirError)(nil); !errors.As(e, &dir) {
			rest = append(rest, e)
		} else if first == nil {
			first = dir
		}
	}
	if first == nil {
		return err
	}
	return errors.Join(append(rest, first)...)
}

// parts takes apart what errors.Join has joined, and nothing that has words of
// its own.
func parts(err error) (all []error) {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok || errors.Join(joined.Unwrap()...).Error() != err.Error() {
		return []error{err}
	}
	for _, e := range joined.Unwrap() {
		all = append(all, parts(e)...)
	}
	return all
}
