package main

import (
	"errors"

	"github.com/zrepl-tools/zrepl-tools/lib/child"
	"github.com/zrepl-tools/zrepl-tools/lib/clean"
	"github.com/zrepl-tools/zrepl-tools/lib/cli"
	"github.com/zrepl-tools/zrepl-tools/lib/frame"
)

// report tells the outcome, and returns the error that ends the program.
func (o *options) report(t frame.Trailer, err error) error {
	out := frame.NewOutcome(t, o.moved.Load(), err)
	out.Link = o.linked.Load()
	if o.said != nil {
		out.Stderr = clean.Lines(o.said.String())
	}
	if w := o.statusFD.Writer(); w != nil {
		w.Write(out.Line())
	}
	switch {
	case err == nil:
		return nil
	case out.Outcome == frame.ReaderGone: // as quietly as SIGPIPE ends a filter
		return cli.WithStatus(out.Exit, nil)
	}
	if failed, ok := errors.AsType[*frame.FailedError](err); ok && failed.Trailer.Stderr != "" {
		err = cli.Hint(err, "the sender said: %s", child.Clean(failed.Trailer.Stderr, 500))
	}
	return cli.WithStatus(out.Exit, err)
}
