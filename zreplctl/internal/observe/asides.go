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

// assignAsides gives each job what was set aside of its copies. If several jobs may
// receive something of the old name, it is of those that have a copy there.
func (h *host) assignAsides(jobs []*looked) {
	for _, name := range slices.Sorted(maps.Keys(h.asides)) {
		a := h.asides[name]
		var may, have []*looked
		for _, l := range jobs {
			if !l.receives(a.of) {
				continue
			}
			may = append(may, l)
			if slices.ContainsFunc(l.found, func(f found) bool { return f.Target == a.of }) {
				have = append(have, l)
			}
		}
		if len(have) > 0 {
			may = have
		}
		for _, l := range may {
			l.facts.Asides = append(l.facts.Asides, health.Aside{Name: name, Of: a.of, Used: a.used})
		}
	}
}
