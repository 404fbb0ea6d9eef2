package main

import (
	"bufio"
	"io"

	"github.com/zrepl-tools/zrepl-tools/lib/prune"
	"github.com/zrepl-tools/zrepl-tools/lib/retention"
)

// output writes records and remembers the first error.
type output struct {
	*bufio.Writer
	end byte
}

func newOutput(w io.Writer) *output { return &output{bufio.NewWriterSize(w, 64<<10), '\n'} }

// record writes one record. The writer keeps its first error for Flush.
func (o *output) record(parts ...string) error {
	for _, part := range parts {
		o.WriteString(part)
	}
	return o.WriteByte(o.end)
}

// explanation writes a dataset's lines after their verdicts.
func (o *output) explanation(g *group, verdicts []retention.Verdict) error {
	for i, v := range verdicts {
		word := "keep\t"
		if v.Destroy {
			word = "destroy\t"
		}
		if err := o.record(word, v.Rule, "\t", g.line(i)); err != nil {
			return err
		}
	}
	return nil
}

// victims writes the names of what is destroyed, the oldest first.
func (o *output) victims(g *group, verdicts []retention.Verdict) error {
	for _, short := range prune.Oldest(g.snaps, verdicts) {
		if err := o.record(g.dataset, "@", short); err != nil {
			return err
		}
	}
	return nil
}
