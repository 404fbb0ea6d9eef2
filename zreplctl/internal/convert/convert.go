// Package convert turns the configurations of other programs into ours: zrepl's
// zrepl.yml, sanoid.conf, and a command line of syncoid.
//
// It promises that nothing is left out silently: whatever has no equal becomes
// a comment where it stood, and a Note. What would destroy more than the other
// program did is not written. It reads bytes and returns bytes; it opens no
// file and runs nothing. Whether the result is a valid configuration is for
// package config to say.
package convert

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// MaxSize bounds what is read, in bytes.
const MaxSize = 512 << 10

// A Note says what the new configuration does otherwise than the old one, or
// not at all.
type Note struct {
	Line int // of the old configuration, from 1; 0: all of it
	Text string
}

// Result is a configuration and what a person must know about it.
type Result struct {
	YAML  []byte
	Notes []Note
}

func checkSize(text []byte) error {
	if len(text) > MaxSize {
		return fmt.Errorf("it is larger than %d KiB", MaxSize>>10)
	}
	return nil
}

// document is a configuration that is being written.
type document struct {
	from  string // what it was, for the first line
	notes []Note
	head  block // what is in no job
	jobs  []*job
	names map[string]bool
}

func newDocument(from string) *document {
	d := &document{from: from, names: map[string]bool{}}
	d.head.doc = d
	return d
}

// block is some lines of the configuration, without their indentation.
type block struct {
	doc   *document
	lines []string
}

// put adds a line.
func (b *block) put(format string, args ...any) {
	b.lines = append(b.lines, fmt.Sprintf(format, args...))
}

// remark adds a comment, which no text can end early.
func (b *block) remark(format string, args ...any) {
	for _, line := range wrap(oneLine(fmt.Sprintf(format, args...))) {
		b.lines = append(b.lines, "# "+line)
	}
}

// quote adds lines of configuration as comments.
func (b *block) quote(lines []string) {
	for _, line := range lines {
		b.lines = append(b.lines, "#   "+oneLine(line))
	}
}

// note is remark, and tells the person who imports.
func (b *block) note(line int, format string, args ...any) {
	text := oneLine(fmt.Sprintf(format, args...))
	b.doc.notes = append(b.doc.notes, Note{line, text})
	b.remark("%s", text)
}

// oneLine makes control characters and line breaks of every kind visible.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if r != ' ' && !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text)
}

// wrap breaks a text at spaces.
func wrap(text string) (lines []string) {
	const width = 90
	for len(text) > width {
		at := strings.LastIndexByte(text[:width], ' ')
		if at <= 0 {
			at = strings.IndexByte(text, ' ')
		}
		if at <= 0 {
			break
		}
		lines, text = append(lines, text[:at]), text[at+1:]
	}
	return append(lines, text)
}

// errNothing is what importing ends with if no job came out of it.
var errNothing = errors.New("no job came out of it")

// result writes the document.
func (d *document) result() (*Result, error) {
	if len(d.jobs) > 3*maxJobs { // comments count, too
		return nil, fmt.Errorf("it would become more than %d jobs", maxJobs)
	}
	d.share()
	var b strings.Builder
	fmt.Fprintf(&b, "# Made from %s by zreplctl import. Comments name what is\n# otherwise here: read them all, and zrepl-migrate(7).\n", d.from)
	for _, line := range d.head.lines {
		b.WriteString(line + "\n")
	}
	b.WriteString("\njobs:\n")
	real := false
	for _, j := range d.jobs {
		real = real || j.kind != ""
		j.write(&b)
	}
	res := &Result{YAML: []byte(b.String()), Notes: d.notes}
	switch {
	case !real:
		return res, errNothing
	case b.Len() > MaxSize:
		return res, fmt.Errorf("the configuration would be larger than %d KiB", MaxSize>>10)
	}
	return res, nil
}
