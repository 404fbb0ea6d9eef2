package dataset

import (
	"regexp/syntax"
	"slices"
)

// MatchesNone reports whether a regular expression matches no name of a snapshot, since
// it needs a character that none has. One that is wrong is not judged.
func MatchesNone(expr string) bool {
	tree, err := syntax.Parse(expr, syntax.Perl)
	return err == nil && impossible(tree)
}

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

func inNames(c rune) bool { return c < 128 && legal(byte(c)) }

// inClass reports whether c is in one of the ranges, which are in order.
func inClass(ranges []rune, c rune) bool {
	for i := 0; i+1 < len(ranges) && ranges[i] <= c; i += 2 {
		if c <= ranges[i+1] {
			return true
		}
	}
	return false
}
