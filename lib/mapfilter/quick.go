package mapfilter

import (
	"bytes"
	"strings"
)

// quick reads the plainest form of a file of rules, one `pattern: result` a
// line, in quotes or without, as programs and most people write it, and
// reports whether text is of that form. Parsing ten thousand rules as YAML
// costs more than mapping a hundred thousand names by them; whatever is not
// plain goes the long way.
func quick(text []byte, file string) ([]Rule, bool) {
	rules := make([]Rule, 0, bytes.Count(text, []byte("\n"))+1)
	all := string(text)
	for number := 1; all != ""; number++ {
		line, rest, _ := strings.Cut(all, "\n")
		all = rest
		if line == "" || line[0] == '#' && printable(line) {
			continue
		}
		key, after, ok := scalar(line)
		if !ok || !strings.HasPrefix(after, ": ") {
			return nil, false
		}
		after = strings.TrimLeft(after[1:], " ")
		value, end, ok := scalar(after)
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

// scalar takes a string off the left of text.
func scalar(text string) (value, rest string, ok bool) {
	if text != "" && text[0] == '"' {
		return quoted(text)
	}
	return plain(text)
}

// plain takes a string without quotes off the left of text: ok, or a name that
// no YAML takes for anything but a string, because it starts with a letter and
// holds a slash.
func plain(text string) (value, rest string, ok bool) {
	end, slash := 0, false
	for end < len(text) && inName(text[end]) {
		slash = slash || text[end] == '/'
		end++
	}
	if end < len(text) && text[end] == '<' {
		end++
	}
	value = text[:end]
	if value != "ok" && (!slash || text[0]|0x20 < 'a' || text[0]|0x20 > 'z') {
		return "", "", false
	}
	return value, text[end:], true
}

func inName(c byte) bool {
	return 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || strings.IndexByte("_./-", c) >= 0
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
