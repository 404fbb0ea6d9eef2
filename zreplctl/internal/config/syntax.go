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
				d.wrongAt(place{i + 1, column()}, "byte 0x%02x is no UTF-8 text", line[at])
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
	lines := strings.Split(string(text), "\n")
	line = min(line, len(lines))
	for _, at := range []int{line, line + 1} {
		if at > len(lines) {
			break
		}
		indent := lines[at-1][:len(lines[at-1])-len(strings.TrimLeft(lines[at-1], " \t"))]
		if tab := strings.IndexByte(indent, '\t'); tab >= 0 {
			d.wrongAt(place{at, tab + 1}, "a tab: YAML is indented with spaces")
			return
		}
	}
	column := len(lines[line-1]) - len(strings.TrimLeft(lines[line-1], " ")) + 1
	d.wrongAt(place{line, column}, "no YAML: %s", message)
}

var lineOf = regexp.MustCompile(`^line (\d+): `)
