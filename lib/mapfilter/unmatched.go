package mapfilter

import (
	"slices"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
)

// Unmatched returns the rules, ordered by pattern, that match none of the
// datasets, whatever more specific rules say of these. "<" alone is not among
// them.
func (rs *Rules) Unmatched(datasets []string) (none []Rule) {
	there, above := make(map[string]bool, len(datasets)), map[string]bool{}
	for _, ds := range datasets {
		there[ds] = true
		for ; ds != "" && !above[ds]; ds = dataset.Parent(ds) {
			above[ds] = true
		}
	}
	for _, r := range rs.all {
		if r.path != "" && !there[r.path] && !(r.tree && above[r.path]) {
			none = append(none, r.Rule)
		}
	}
	slices.SortFunc(none, func(a, b Rule) int { return strings.Compare(a.Pattern, b.Pattern) })
	return none
}
