package observe

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
)

// findBorn asks when the datasets here were created of which there is no copy,
// if there is one of others: a new one need not have any yet.
func (h *host) findBorn(ctx context.Context, jobs []*looked) error {
	born := map[string]time.Time{}
	for _, l := range jobs {
		for _, f := range l.uncopied() {
			born[f.dataset] = time.Time{}
		}
	}
	for names := keys(born); len(names) > 0; {
		n := zfs.FitArgs(names)
		o := zfs.ListOptions{Types: []string{"filesystem", "volume"}, Columns: []string{"name", "creation"}, Roots: names[:n]}
		err := h.zfs.List(ctx, o, func(f []string) error {
			h.answers.Add(1)
			at, err := zfs.Creation(f[1])
			born[strings.Clone(f[0])] = time.Unix(at, 0)
			return err
		})
		if err := zfs.Present(err); err != nil {
			return err
		}
		names = names[n:]
	}
	for _, l := range jobs {
		for _, f := range l.uncopied() {
			f.New = born[f.dataset]
		}
	}
	return nil
}

// uncopied are the datasets here of which there is no copy, and nothing says why.
func (l *looked) uncopied() (all []*found) {
	if !slices.ContainsFunc(l.found, func(f found) bool { return f.common != nil }) {
		return nil
	}
	for i := range l.found {
		f := &l.found[i]
		if f.dataset != "" && f.dataset == f.Source && f.common == nil && f.Missing+f.Gone+f.Failed == "" {
			all = append(all, f)
		}
	}
	return all
}
