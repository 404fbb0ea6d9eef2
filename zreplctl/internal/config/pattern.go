package config

import (
	"regexp"
	"regexp/syntax"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
)

// matchesAll reports whether a pattern matches every name that begins with prefix:
// it does with any one character behind it, and with as many as a name has.
func matchesAll(re *regexp.Regexp, prefix string) bool {
	for c := range rune(128) {
		if dataset.CheckShort("a"+string(c)) == nil && !re.MatchString(prefix+string(c)) {
			return false
		}
	}
	room := max(dataset.MaxNameLen-len(prefix), 0)
	for _, part := range []string{"-", "a0_"} {
		if !re.MatchString(prefix + strings.Repeat(part, room)[:room]) {
			return false
		}
	}
	return true
}

// matchesNone says that no name matches a pattern: see dataset.MatchesNone.
const matchesNone = "%s: %q matches no name: names, after the @, have only letters, digits, spaces and -_.:"

// beginning is what all names begin with that a pattern matches, as far as it
// begins with ^ and plain characters.
func beginning(pattern string) string {
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return ""
	}
	for tree.Op == syntax.OpCapture {
		tree = tree.Sub[0]
	}
	if tree.Op != syntax.OpConcat || tree.Sub[0].Op != syntax.OpBeginText {
		return ""
	}
	tree = tree.Sub[1]
	for tree.Op == syntax.OpCapture || tree.Op == syntax.OpConcat {
		tree = tree.Sub[0]
	}
	if tree.Op != syntax.OpLiteral || tree.Flags&syntax.FoldCase != 0 {
		return ""
	}
	return string(tree.Rune)
}
