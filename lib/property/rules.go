package property

import (
	"fmt"
	"slices"
	"strings"
)

// Rules say which properties a receiver takes: those that Take names, less
// those that Exclude names. A name may end in * and stands then for all that
// begin so; * alone stands for every property that can be taken.
type Rules struct {
	Take, Exclude []string
}

// Any reports whether something is taken at all.
func (r Rules) Any() bool { return len(r.Take) > 0 }

// Takes reports whether the rules take a property.
func (r Rules) Takes(name string) bool {
	return Check(name) == nil && named(r.Take, name) && !named(r.Exclude, name)
}

func named(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		start, many := strings.CutSuffix(p, "*")
		return p == name || many && strings.HasPrefix(name, start)
	})
}

// CheckPattern says what is wrong with a name of Rules, or nil.
func CheckPattern(p string) error {
	start, many := strings.CutSuffix(p, "*")
	switch {
	case !many:
		return Check(p)
	case start == "":
		return nil
	case strings.HasPrefix(start, Prefix):
		return fmt.Errorf("%q: these properties belong to zreplctl", p)
	case !IsUser(start+":") && !IsUser(start):
		return fmt.Errorf("%q does not name properties", p)
	}
	return nil
}
