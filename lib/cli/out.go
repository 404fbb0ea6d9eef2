package cli

import (
	"bufio"
	"io"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/clean"
)

// Out is the only way by which a program that prints text from elsewhere
// reaches its standard output or standard error. It cleans all that passes
// (see package clean), so that no command can forget to.
type Out struct{ w io.Writer }

// NewOut makes an Out of a standard descriptor.
func NewOut(w io.Writer) *Out { return &Out{w} }

// Write prints text of several lines and columns: it keeps line breaks and tabs,
// and everything else that must not be printed is escaped.
func (o *Out) Write(p []byte) (int, error) { return clean.Writer{W: o.w}.Write(p) }

// Text is Write of a string.
func (o *Out) Text(text string) error {
	_, err := io.WriteString(o.w, clean.Text(text))
	return err
}

// Record prints one line of columns. Nothing in a column breaks the line or
// adds a column.
func (o *Out) Record(columns ...string) error {
	n := len(columns)
	for _, c := range columns {
		n += len(c)
	}
	line := make([]byte, 0, n)
	for i, c := range columns {
		if i > 0 {
			line = append(line, '\t')
		}
		line = append(line, clean.Field(c)...)
	}
	_, err := o.w.Write(append(line, '\n'))
	return err
}

// Say prints one line of talk: TOOL: TEXT.
func (o *Out) Say(tool, text string) error {
	_, err := io.WriteString(o.w, tool+": "+oneLine(text)+"\n")
	return err
}

// JSON prints v as one line of JSON.
func (o *Out) JSON(v any) error {
	text, err := clean.JSON(v)
	if err != nil {
		return err
	}
	_, err = o.w.Write(append(text, '\n'))
	return err
}

// IndentedJSON prints v as JSON over several lines.
func (o *Out) IndentedJSON(v any) error {
	text, err := clean.IndentedJSON(v)
	if err != nil {
		return err
	}
	_, err = o.w.Write(append(text, '\n'))
	return err
}

// Terminal reports whether o writes to a terminal.
func (o *Out) Terminal() bool { return Terminal(o.w) }

// Buffered prints many records at a time.
func (o *Out) Buffered(print func(*Out) error) error {
	b := bufio.NewWriterSize(o.w, 64<<10)
	if err := print(&Out{b}); err != nil {
		b.Flush()
		return err
	}
	return b.Flush()
}

// oneLine makes one line of an error's or a hint's text.
func oneLine(text string) string {
	return clean.Field(strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "; "))
}
