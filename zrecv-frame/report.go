package main

import (
	"errors"

	"github.com/zrepl-tools/zrepl-tools/lib/child"
	"github.com/zrepl-tools/zrepl-tools/lib/cli"
	"github.com/zrepl-tools/zrepl-tools/lib/frame"
)

// report tells the outcome, and returns the error that ends the program.
func (o *options) report(t frame.Trailer, err error) error {
	out := o.Outcome(t, err)
	o.Report(out)
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
