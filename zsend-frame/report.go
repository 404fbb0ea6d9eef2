package main

import (
	"errors"

	"github.com/zrepl-tools/zrepl-tools/lib/cli"
	"github.com/zrepl-tools/zrepl-tools/lib/frame"
)

// sayFailed sends a stream that says that there is none.
func (o *options) sayFailed(sum frame.Checksum, err error) {
	w := frame.NewWriter(o.Out, sum)
	if w.Header(frame.MakeHeader(sum)) == nil {
		w.Trailer(frame.Trailer{Status: frame.StatusFailed, Exit: cli.Failed, Reason: err.Error()})
	}
}

// report tells the outcome, and returns the error that ends the program.
func (o *options) report(args []string, t frame.Trailer, err error) error {
	out := o.Outcome(t, err)
	if failed, ok := errors.AsType[*frame.FailedError](err); ok && failed.Trailer.Exit != 0 {
		out.Exit = failed.Trailer.Exit
	}
	o.Report(out)
	if err == nil {
		return nil
	}
	if out.Outcome == frame.ReaderGone { // as quietly as SIGPIPE ends a filter
		return cli.WithStatus(out.Exit, nil)
	}
	if failed, ok := errors.AsType[*frame.FailedError](err); ok {
		err = errors.New(failed.Trailer.How())
		if len(args) > 0 {
			err = cli.Cannot("send the output of", args[0], err)
		}
	}
	return cli.WithStatus(out.Exit, err)
}
