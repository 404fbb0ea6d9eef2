package config

import (
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
)

// matchesAll reports whether a pattern matches every name that begins with prefix:
// it does with any one character behind it, and with as many as a name has.
func matchesAll(re *regexp.Regexp, prefix string) bool {
	for c := range rune(128) {
		if inNames(c) && !re.MatchString(prefix+string(c)) {
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

// inNames reports whether the names of snapshots may have a character.
func inNames(c rune) bool { return dataset.CheckShort("a"+string(c)) == nil }

// impossible reports whether a pattern needs a character that no name has.
func impossible(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpNoMatch:
		return true
	case syntax.OpLiteral:
		return slices.ContainsFunc(re.Rune, func(c rune) bool { return !inNames(c) })
	case syntax.OpCharClass:
		for c := range rune(128) {
			if inNames(c) && inClass(re.Rune, c) {
				return false
			}
		}
		return true
	case syntax.OpConcat, syntax.OpCapture, syntax.OpPlus:
		return slices.ContainsFunc(re.Sub, impossible)
	case syntax.OpRepeat:
		return re.Min > 0 && impossible(re.Sub[0])
	case syntax.OpAlternate:
		return !slices.ContainsFunc(re.Sub, func(sub *syntax.Regexp) bool { return !impossible(sub) })
	}
	return false
}

// inClass reports whether c is in one of the ranges.
func inClass(ranges []rune, c rune) bool {
	for i := 0; i+1 < len(ranges); i += 2 {
		if ranges[i] <= c && c <= ranges[i+1] {
			return true
		}
	}
	return false
}

// beginning is what all names begin with that a pattern matches, as far as it
// begins with ^ and plain characters.
func beginning(re *regexp.Regexp) string {
	tree, err := syntax.Parse(re.String(), syntax.Perl)
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
