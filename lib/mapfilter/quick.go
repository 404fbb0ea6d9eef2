package mapfilter

import (
	"bytes"
	"strings"
)

// quick reads the plainest form of a file of rules, one `"pattern": "result"`
// a line, as programs and most people write it, and reports whether text is
// of that form. Parsing ten thousand rules as YAML costs more than mapping a
// hundred thousand names by them; whatever is not plain goes the long way.
func quick(text []byte, file string) ([]Rule, bool) {
	rules := make([]Rule, 0, bytes.Count(text, []byte("\n"))+1)
	all := string(text)
	for number := 1; all != ""; number++ {
		line, rest, _ := strings.Cut(all, "\n")
		all = rest
		if line == "" || line[0] == '#' && printable(line) {
			continue
		}
		key, after, ok := quoted(line)
		if !ok || !strings.HasPrefix(after, ": ") {
			return nil, false
		}
		after = strings.TrimLeft(after[1:], " ")
		value, end, ok := quoted(after)
		if !ok || end != "" {
			return nil, false
		}
		rules = append(rules, Rule{
			Pattern: key, Result: value,
			Pos: Pos{file, number, 1}, At: Pos{file, number, 1 + len(line) - len(after)},
		})
	}
	return rules, len(rules) > 0
}

// quoted takes a double-quoted string without escapes off the left of text.
func quoted(text string) (value, rest string, ok bool) {
	if len(text) < 2 || text[0] != '"' {
		return "", "", false
	}
	end := 1 + strings.IndexByte(text[1:], '"')
	if end == 0 || !printable(text[1:end]) || strings.IndexByte(text[1:end], '\\') >= 0 {
		return "", "", false
	}
	return text[1:end], text[end+1:], true
}

// printable reports whether text is printable ASCII only.
func printable(text string) bool {
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return false
		}
	}
	return true
}
