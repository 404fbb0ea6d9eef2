package plan

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
)

// Choice says by their names which snapshots a job sends. The zero value
// chooses all. Equal choices are the same only if they share their rules.
type Choice struct {
	Prefix string // those that begin so
	Rules  *Rules // and what else a person wants; nil: nothing
}

// Rules choose snapshots by regular expressions, and the newest of these.
type Rules struct {
	Regex   *regexp.Regexp   // instead of the prefix; nil: the prefix
	Exclude []*regexp.Regexp // a snapshot that matches one of these is left out
	Newest  bool             // only the newest one goes; the others are passed over, for good
}

// Has reports whether a snapshot of this name, without dataset and @, is sent.
func (c Choice) Has(name string) bool { return c.offers(name) && !c.excludes(name) }

// NewestOnly reports whether only the newest snapshot that is chosen is sent.
func (c Choice) NewestOnly() bool { return c.Rules != nil && c.Rules.Newest }

// offers reports whether a name is chosen unless it is excluded.
func (c Choice) offers(name string) bool {
	if c.Rules != nil && c.Rules.Regex != nil {
		return c.Rules.Regex.MatchString(name)
	}
	return strings.HasPrefix(name, c.Prefix)
}

func (c Choice) excludes(name string) bool {
	if c.Rules == nil {
		return false
	}
	for _, re := range c.Rules.Exclude {
		if re.MatchString(name) {
			return true
		}
	}
	return false
}

// Waits reports whether a dataset in which none of the names is chosen waits for
// one that is. A person who writes rules may choose what comes once a month. But
// if the prefix alone decides, and fits none, the two hosts have different ones,
// and nothing would ever come.
func (c Choice) Waits(names func(yield func(name string) bool)) bool {
	switch {
	case c.Rules == nil:
		return false
	case c.Rules.Regex != nil:
		return true
	}
	for name := range names {
		if strings.HasPrefix(name, c.Prefix) {
			return true
		}
	}
	return false
}

// why says why a snapshot of this name is not sent, after its name; "": it is.
func (c Choice) why(name string) string {
	switch {
	case c.Has(name):
		return ""
	case c.excludes(name):
		return "which the job's rules exclude"
	case c.Rules != nil && c.Rules.Regex != nil:
		return "whose name does not match " + quoted(c.Rules.Regex)
	}
	return fmt.Sprintf("whose name does not start with %q", c.Prefix)
}

// String says in words what is chosen.
func (c Choice) String() string {
	words := fmt.Sprintf("start with %q", c.Prefix)
	if c.Rules == nil {
		return words
	}
	if c.Rules.Regex != nil {
		words = "match " + quoted(c.Rules.Regex)
	}
	for i, re := range c.Rules.Exclude {
		if i == 3 {
			return words + " or any of the others"
		}
		words += []string{" and do not match ", " or ", " or "}[i] + quoted(re)
	}
	return words
}

// quoted shows a pattern as a person has written it, if that can be shown.
func quoted(re *regexp.Regexp) string {
	if text := re.String(); strconv.CanBackquote(text) {
		return `"` + text + `"`
	}
	return strconv.Quote(re.String())
}

func shortNames(vs []dataset.Version) func(yield func(name string) bool) {
	return func(yield func(name string) bool) {
		for _, v := range vs {
			if v.Kind == dataset.Snapshot && !yield(v.Name) {
				return
			}
		}
	}
}
