package config

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// readable reports what no YAML can hold, where the parser's own words would
// not help: bytes that are no text, and tabs that indent.
func (d *decoder) readable(text []byte) bool {
	lines := bytes.Split(text, []byte("\n"))
	for i, line := range lines {
		for at := 0; at < len(line); {
			r, size := utf8.DecodeRune(line[at:])
			column := func() int { return utf8.RuneCount(line[:at]) + 1 }
			switch {
			case r == utf8.RuneError && size == 1:
				d.wrongAt(place{i + 1, column()}, "byte 0x%02x is not UTF-8 text", line[at])
				return false
			case r < ' ' && r != '\t' && r != '\r' || r == 0x7f:
				d.wrongAt(place{i + 1, column()}, "control character %q", r)
				return false
			}
			at += size
		}
	}
	return true
}

// syntax turns the parser's error into a problem with a place. The parser
// knows the line only, and none where it is the first.
func (d *decoder) syntax(text []byte, err error) {
	message := strings.TrimPrefix(err.Error(), "yaml: ")
	line := 1
	if m := lineOf.FindStringSubmatch(message); m != nil {
		line, _ = strconv.Atoi(m[1])
		message = message[len(m[0]):]
	}
	if strings.HasPrefix(message, "did not find expected ") {
		line++ // counted from 0 in these
	}
	lines := strings.Split(string(text), "\n")
	line = min(line, len(lines))
	if d.usualSlip(lines, max(line-2, 0)) {
		return
	}
	if at, ok := misindented(lines); ok && strings.HasPrefix(message, "did not find expected ") {
		n := len(lines[at]) - len(strings.TrimLeft(lines[at], " "))
		d.wrongAt(place{at + 1, n + 1}, "not YAML: no line above has this line's indentation (%d)", n)
		return
	}
	column := len(lines[line-1]) - len(strings.TrimLeft(lines[line-1], " ")) + 1
	d.wrongAt(place{line, column}, "not YAML: %s", message)
}

// usualSlip looks near the line where the parser gave up for what most often
// makes it do so.
func (d *decoder) usualSlip(lines []string, from int) bool {
	for i := from; i < min(from+4, len(lines)); i++ {
		indent := lines[i][:len(lines[i])-len(strings.TrimLeft(lines[i], " \t"))]
		if tab := strings.IndexByte(indent, '\t'); tab >= 0 {
			d.wrongAt(place{i + 1, tab + 1}, "a tab: YAML is indented with spaces")
			return true
		}
		if at := bareExclamation.FindStringIndex(lines[i]); at != nil {
			d.wrongAt(place{i + 1, utf8.RuneCountInString(lines[i][:at[0]]) + 3}, `a bare !: write "!" in quotes`)
			return true
		}
	}
	return false
}

var (
	lineOf          = regexp.MustCompile(`^line (\d+): `)
	bareExclamation = regexp.MustCompile(`: ![,}\]]`)
)
