// Zrecv-frame checks a framed stream and passes on the data in it.
package main

import (
	"context"
	"errors"
	"flag"
	"io"
	"os"
	"sync/atomic"
	"time"

	"github.com/peterbourgon/ff/v3/ffcli"

	"github.com/zrepl-tools/zrepl-tools/lib/child"
	"github.com/zrepl-tools/zrepl-tools/lib/cli"
	"github.com/zrepl-tools/zrepl-tools/lib/frame"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
)

func main() {
	ctx, cancel := context.WithCancelCause(cli.Context())
	child.Watch(func() { cancel(errors.New("the parent process is gone")) })
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

type options struct {
	stall      time.Duration
	verify     bool
	expect     expectation
	tty        bool
	progress   bool
	progressFD cli.Descriptor
	statusFD   cli.Descriptor
	in, out    *os.File
	stderr     io.Writer
	moved      atomic.Uint64
}

// expectation is the flag that says which stream of zfs send may pass.
type expectation struct {
	text string
	zfs.Expect
}

func (e *expectation) String() string { return e.text }
func (e *expectation) Set(s string) (err error) {
	e.text = s
	e.Expect, err = zfs.ParseExpect(s)
	return err
}

func run(ctx context.Context, args []string, stdin, stdout *os.File, stderr io.Writer) int {
	o := options{in: stdin, out: stdout, stderr: stderr}
	fs := flag.NewFlagSet("zrecv-frame", flag.ContinueOnError)
	fs.DurationVar(&o.stall, "stall", time.Minute, "give up after `silence` without even a heartbeat; 0: never")
	fs.BoolVar(&o.verify, "verify", false, "only check the stream, and write nothing")
	fs.Var(&o.expect, "expect-zfs", "let only the zfs stream pass that these `words` name: to=GUID[,from=GUID][,chain][,properties]")
	fs.BoolVar(&o.tty, "tty", false, "leave the command in our process group, so that it may use the terminal")
	fs.BoolVar(&o.progress, "progress", cli.Terminal(stderr), "show progress on stderr")
	fs.Var(&o.progressFD, "progress-fd", "write progress as JSON lines to descriptor `n`")
	fs.Var(&o.statusFD, "status-fd", "write the outcome as a JSON line to descriptor `n`")
	tool := cli.Tool{
		Command: &ffcli.Command{
			Name:       "zrecv-frame",
			ShortUsage: "zrecv-frame [flags] [command [argument ...]]\nzrecv-frame -verify [flags]",
			ShortHelp:  "Check a framed stream on stdin, and pass its data to stdout or to the command.",
			FlagSet:    fs,
			Exec:       o.exec,
		},
		RunsCmd: true,
		NotEnv:  []string{"status-fd", "progress-fd", "expect-zfs", "verify"},
		Stdout:  stdout,
		Stderr:  stderr,
	}
	return tool.Run(ctx, args)
}

func (o *options) exec(ctx context.Context, args []string) error {
	switch {
	case o.verify && len(args) > 0:
		return cli.Usagef("-verify runs no command")
	case o.stall < 0:
		return cli.Usagef("a stall cannot be noticed after %v", o.stall)
	}
	receive := frame.ReceiveOptions{In: o.in, Out: o.out, Stall: o.stall, Moved: &o.moved}
	if o.verify {
		receive.Out = nil
	}
	if o.expect.text != "" {
		receive.Inspect, receive.Follow = o.expect.Inspect, o.expect.Follow()
	}
	if len(args) > 0 {
		command, err := o.start(ctx, args, &receive)
		if err != nil {
			return o.report(frame.Trailer{}, err)
		}
		defer command.Wait()
	}
	meter := frame.Meter{Moved: &o.moved, Program: o.progressFD.Writer()}
	if o.progress {
		meter.Person = o.stderr
	}
	stop := meter.Run()
	t, err := frame.Receive(ctx, receive)
	stop()
	if failed, ok := errors.AsType[*frame.CommandError](err); ok {
		err = cli.Cannot("pass the stream to", args[0], failed)
	}
	return o.report(t, err)
}

// report tells the outcome, and returns the error that ends the program.
func (o *options) report(t frame.Trailer, err error) error {
	out := frame.NewOutcome(t, o.moved.Load(), err)
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
