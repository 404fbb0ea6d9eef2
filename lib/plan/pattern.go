package plan

import (
	"fmt"
	"regexp"
	"regexp/syntax"
)

// The limits of a pattern. A name has at most 255 bytes, and each of them is
// held at most once against each part of the pattern.
const (
	MaxPattern     = 250 // bytes
	MaxPatternSize = 250 // characters and operators, with its repetitions written out
)

// ParsePattern compiles a regular expression for names, unless that would take
// much time or memory, or matching would. Size is how much that is.
func ParsePattern(text string) (re *regexp.Regexp, size int, err error) {
	if len(text) > MaxPattern {
		return nil, 0, fmt.Errorf("%d bytes: at most %d", len(text), MaxPattern)
	}
	tree, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return nil, 0, err
	}
	if size = written(tree); size > MaxPatternSize {
		return nil, size, fmt.Errorf("too large: with its repetitions written out it has more than %d characters and operators", MaxPatternSize)
	}
	re, err = regexp.Compile(text)
	return re, size, err
}

// written counts what a pattern has with its repetitions written out, at most
// one more than the limit.
func written(re *syntax.Regexp) int {
	if re.Op == syntax.OpLiteral {
		return len(re.Rune)
	}
	n := 0
	for _, sub := range re.Sub {
		n = min(n+written(sub), MaxPatternSize)
	}
	if re.Op == syntax.OpRepeat {
		n *= max(re.Min, re.Max)
	}
	return min(1+n, MaxPatternSize+1)
}
