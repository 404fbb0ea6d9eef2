package config

import (
	"regexp"
	"strings"
)

// misindented finds the first line whose indentation is that of no line above
// it, from 0. It is for texts that the parser has refused: where a block began
// is all that the parser says then.
func misindented(lines []string) (at int, found bool) {
	var levels []int // of the blocks that are open
	flow := 0        // brackets that are open
	text := -1       // the level of a key whose value is a block of text
	for i, line := range lines {
		bare := strings.TrimLeft(line, " ")
		n := len(line) - len(bare)
		switch {
		case bare == "" || bare[0] == '#' || bare == "\r":
			continue
		case flow > 0:
			flow += brackets(bare)
			continue
		case text >= 0 && n > text:
			continue
		}
		text = -1
		closed := false
		for len(levels) > 0 && levels[len(levels)-1] > n {
			levels, closed = levels[:len(levels)-1], true
		}
		if closed && (len(levels) == 0 || levels[len(levels)-1] < n) {
			return i, true
		}
		levels = open(levels, n)
		for strings.HasPrefix(bare, "- ") { // what follows is a block of its own
			item := strings.TrimLeft(bare[1:], " ")
			n += len(bare) - len(item)
			bare, levels = item, open(levels, n)
		}
		if blockText.MatchString(bare) {
			text = n
		}
		flow = max(0, brackets(bare))
	}
	return 0, false
}

// open adds a level unless it is the innermost one already.
func open(levels []int, n int) []int {
	if len(levels) > 0 && levels[len(levels)-1] == n {
		return levels
	}
	return append(levels, n)
}

var (
	blockText = regexp.MustCompile(`: [|>][-+0-9]*\s*$`)
	quoted    = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|'[^']*'|\s#.*$`)
)

// brackets counts those that a line opens and does not close.
func brackets(line string) (n int) {
	for _, c := range quoted.ReplaceAllString(line, "") {
		switch c {
		case '{', '[':
			n++
		case '}', ']':
			n--
		}
	}
	return n
}
