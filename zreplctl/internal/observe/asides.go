package observe

import (
	"context"
	"maps"
	"slices"
	"strconv"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/endpoint"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/health"
)

// aside is what was set aside: the name that it had, and how much it takes.
type aside struct {
	of   string
	used uint64
}

// findAsides finds what was set aside. It asks only if a name looks so, or a job
// sets copies aside that are roots themselves: then there is a list of what stands
// beside them.
func (h *host) findAsides(ctx context.Context, jobs []*looked) error {
	h.asides = map[string]aside{}
	all, err := endpoint.Asides(ctx, h.zfs, keys(h.datasets))
	if err != nil {
		return err
	}
	var roots []string
	for _, l := range jobs {
		if l.job.Receives() && l.job.Root == "" && len(l.job.Recv.Asides) > 0 {
			roots = append(roots, l.job.Mapping.Targets()...)
		}
	}
	beside, err := endpoint.AsidesBeside(ctx, h.zfs, roots)
	if err != nil {
		return err
	}
	maps.Copy(all, beside)
	if len(all) == 0 {
		return nil
	}
	o := zfs.ListOptions{Types: []string{"filesystem", "volume"}, Columns: []string{"name", "used"}, Roots: keys(all)}
	return zfs.Present(h.zfs.List(ctx, o, func(f []string) error {
		h.answers.Add(1)
		used, _ := strconv.ParseUint(f[1], 10, 64)
		for name, of := range all {
			if name == f[0] {
				h.asides[name] = aside{of, used}
			}
		}
		return nil
	}))
}

// asideAbove is what was set aside and a dataset is, or is below; empty: nothing.
func (h *host) asideAbove(ds string) string {
	for _, up := range dataset.AsideAbove(ds) {
		if _, ok := h.asides[up]; ok {
			return up
		}
	}
	return ""
}

// asideOf is what was set aside and had a name, or that of a dataset above it; empty:
// nothing.
func (h *host) asideOf(ds string) (before string) {
	for _, name := range slices.Sorted(maps.Keys(h.asides)) {
		if dataset.Within(ds, h.asides[name].of) {
			before = name
		}
	}
	return before
}

// findAsides are those of the job's copies that were set aside.
func (l *looked) findAsides() {
	for _, name := range slices.Sorted(maps.Keys(l.host.asides)) {
		if a := l.host.asides[name]; l.receives(a.of) {
			l.facts.Asides = append(l.facts.Asides, health.Aside{Name: name, Of: a.of, Used: a.used})
		}
	}
}
