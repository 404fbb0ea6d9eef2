package mapfilter

import "github.com/zrepl-tools/zrepl-tools/lib/dataset"

// A Region is a set of datasets that could be: what rules let pass, or what
// they map to.
type Region struct {
	holds func(name string) bool
	edges []string // the datasets, or the tops of trees, at which rules begin
}

// From is what the rules let pass.
func (rs *Rules) From() Region {
	r := Region{holds: rs.Pass}
	for _, rule := range rs.all {
		if rule.kind != omits {
			r.edges = append(r.edges, rule.path)
		}
	}
	return r
}

// Into is what the rules map to.
func (rs *Rules) Into() Region {
	r := Region{holds: func(name string) bool { return len(rs.Sources(name, 1)) > 0 }}
	for target := range rs.into {
		r.edges = append(r.edges, target)
	}
	return r
}

// Below is all that lies below a dataset, without itself.
func Below(root string) Region {
	return Region{
		holds: func(name string) bool { return name != root && dataset.Within(name, root) },
		edges: []string{root},
	}
}

// Edges are the datasets at which the region, or a tree of it, begins; "" is
// where everything does. Two regions that have something in common have edges
// of which one is, or lies within, the other.
func (r Region) Edges() []string { return r.edges }

// Has reports whether a dataset is in the region.
func (r Region) Has(name string) bool { return r.holds(name) }

// unnamed is a component that no rule names, since no name may hold it.
const unnamed = "@"

// Common returns a dataset that is in both regions. It is exact: within one
// edge of either, and below all others, the rules decide alike about
// everything that they do not name.
func Common(a, b Region) (name string, ok bool) {
	for _, edges := range [][]string{a.edges, b.edges} {
		for _, edge := range edges {
			for _, name := range corners(edge) {
				if a.holds(name) && b.holds(name) {
					return name, true
				}
			}
		}
	}
	return "", false
}

// corners are the dataset and one below it that no rule names.
func corners(edge string) []string {
	if edge == "" {
		return []string{unnamed}
	}
	return []string{edge, edge + "/" + unnamed}
}

// Meet returns a source that both rules map to one target.
func Meet(a, b *Rules) (source, target string, ok bool) {
	for _, rs := range []*Rules{a, b} {
		for _, r := range rs.all {
			if r.kind != maps {
				continue
			}
			for _, source := range corners(r.path) {
				to, ok := a.Map(source)
				if other, also := b.Map(source); ok && also && to == other {
					return source, to, true
				}
			}
		}
	}
	return "", "", false
}

// Show writes a dataset that Common or Meet returned as a pattern.
func Show(name string) string {
	if name == unnamed {
		return "<"
	}
	if top := dataset.Parent(name); name == top+"/"+unnamed {
		return top + "<"
	}
	return name
}
