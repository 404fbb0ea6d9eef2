// Package clean makes text from elsewhere harmless where it is printed: names
// and errors of another host, of a daemon, of a file.
//
// It promises that nothing it returns moves a terminal's cursor, breaks a line
// or a column, changes the direction of writing, or is there without being
// seen. It decides nothing about what may be stored or sent.
package clean

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Forbidden reports whether r must not be printed as it is: control
// characters (C0, DEL, C1), format characters (those of direction, of zero
// width, tags, the byte order mark), variation selectors, fillers that nobody
// sees, and separators of lines and paragraphs.
func Forbidden(r rune) bool {
	switch {
	case r < ' ':
		return true
	case r < 0x7f:
		return false
	case r < 0xa1:
		return r != 0xa0
	}
	return unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point)
}

// Plain reports whether s needs no cleaning.
func Plain(s string) bool { return next(s) < 0 }

// next is where the first byte of s stands that must not be printed, or -1.
func next(s string) int {
	for i := 0; i < len(s); {
		if c := s[i]; ' ' <= c && c < 0x7f {
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if Forbidden(r) || r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return -1
}

// Field is s for one column of one line. What must not be printed is shown as
// Go writes it in a string (\n, \x1b, \u202e), so that two names that differ
// do not look the same.
func Field(s string) string {
	if Plain(s) {
		return s
	}
	var b strings.Builder
	escape(&b, s, "")
	return b.String()
}

// Text is Field for text of several lines with columns: line breaks and tabs
// stay.
func Text(s string) string {
	if Plain(s) {
		return s
	}
	var b strings.Builder
	escape(&b, s, "\n\t")
	return b.String()
}

// Line makes one line of at most max bytes of what a program said: lines are
// joined by "; ", a tab becomes a space, and what must not be printed is
// dropped. What is longer is cut and ends in "...".
func Line(s string, max int) string { return cut(join(s), max) }

// Lines cleans each line of s as Line does and keeps the lines apart. The last
// one has no newline behind it.
func Lines(s string) string {
	var b strings.Builder
	for line := range strings.Lines(s) {
		b.WriteString(strings.TrimRight(drop(line), " "))
		b.WriteByte('\n')
	}
	return strings.Trim(b.String(), "\n")
}

// Tail is Line that cuts the beginning and not the end: a program's last
// words say why it ended.
func Tail(s string, max int) string {
	s = join(s)
	if len(s) <= max {
		return s
	}
	start := len(s) - max + len("...")
	if start > len(s) {
		return ""
	}
	for start < len(s) && !utf8.RuneStart(s[start]) {
		start++
	}
	return "..." + s[start:]
}

// Name is Field for the name of something in a message: it is cut after 300
// bytes, more than any legal name has.
func Name(s string) string { return cut(Field(s), 300) }

// cut shortens s to max bytes, at the beginning of a character, and marks that
// with "...".
func cut(s string, max int) string {
	if len(s) <= max {
		return s
	}
	end := max - len("...")
	if end < 0 {
		return ""
	}
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + "..."
}

func join(s string) string {
	var lines []string
	for line := range strings.Lines(s) {
		if line = strings.TrimSpace(drop(line)); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "; ")
}

// drop leaves out what must not be printed, and replacement characters, which
// say nothing.
func drop(line string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case r == utf8.RuneError, Forbidden(r):
			return -1
		}
		return r
	}, line)
}
