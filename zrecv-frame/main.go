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
	"github.com/zrepl-tools/zrepl-tools/lib/pack"
	"github.com/zrepl-tools/zrepl-tools/lib/rate"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs/stream"
)

func main() {
	ctx, cancel := context.WithCancelCause(cli.Context())
	child.Watch(func() { cancel(errors.New("the parent process is gone")) })
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

type options struct {
	packing    string
	stall      time.Duration
	verify     bool
	expect     stream.Expect
	tty        bool
	progress   bool
	progressFD cli.Descriptor
	statusFD   cli.Descriptor
	each       cli.Descriptor
	rateFiles  rate.Files
	shared     rate.All
	in, out    *os.File
	stderr     io.Writer
	moved      atomic.Uint64
	linked     atomic.Uint64 // the same, compressed
	ending     atomic.Bool

	inputs *child.Inputs // of the commands of -each
	said   *child.Tail   // what they write to stderr
}

func run(ctx context.Context, args []string, stdin, stdout *os.File, stderr io.Writer) int {
	o := options{in: stdin, out: stdout, stderr: stderr}
	fs := flag.NewFlagSet("zrecv-frame", flag.ContinueOnError)
	fs.StringVar(&o.packing, "decompress", "off", "decompress a stream that is compressed by `method`: zstd, or off to refuse it")
	fs.DurationVar(&o.stall, "stall", time.Minute, "stop if nothing arrives for `silence`, not even a heartbeat; 0: never")
	fs.BoolVar(&o.verify, "verify", false, "check the stream, and write nothing")
	fs.Var(&o.expect, "expect-zfs", "accept only the zfs stream that these `words` name: to=GUID[@NAME], from=GUID, raw, …")
	fs.Var(&o.rateFiles, "rate-file", "share the rate in `file` with other processes; may be given several times")
	fs.BoolVar(&o.tty, "tty", false, "leave the command in this process group, so that it can read the terminal")
	fs.BoolVar(&o.progress, "progress", cli.Terminal(stderr), "show progress on stderr")
	fs.Var(&o.progressFD, "progress-fd", "write progress as JSON lines to descriptor `n`")
	fs.Var(&o.statusFD, "status-fd", "write the outcome as a JSON line to descriptor `n`")
	fs.Var(&o.each, "each", "read commands as JSON lines from descriptor `n`, and pass a stream to each")
	tool := cli.Tool{
		Command: &ffcli.Command{
			Name:       "zrecv-frame",
			ShortUsage: "zrecv-frame [flags] [command [argument ...]]\nzrecv-frame -verify [flags]",
			ShortHelp:  "Check a framed stream on stdin, and pass its data to stdout or to the command.",
			FlagSet:    fs,
			Exec:       o.exec,
		},
		RunsCmd: true,
		NotEnv:  []string{"status-fd", "progress-fd", "rate-file", "expect-zfs", "verify", "each", "decompress"},
		Stdout:  stdout,
		Stderr:  stderr,
	}
	return tool.Run(ctx, args)
}

func (o *options) exec(ctx context.Context, args []string) (err error) {
	if len(o.rateFiles) > 0 {
		if o.shared, err = rate.OpenAll(o.rateFiles); err != nil {
			return err
		}
		defer o.shared.Close()
	}
	switch {
	case o.verify && len(args) > 0:
		return cli.Usagef("-verify runs no command")
	case o.packing != "off" && o.packing != pack.Zstd:
		return cli.Usagef("-decompress: %q is not off or zstd", o.packing)
	case o.stall < 0:
		return cli.Usagef("-stall must not be negative")
	case o.each.File == nil:
		return o.one(ctx, args)
	case len(args) > 0 || o.verify || o.expect.Given() || o.tty || o.statusFD.File == nil:
		return cli.Usagef("-each needs -status-fd, and takes no command, no -verify, no -expect-zfs and no -tty")
	}
	return o.all(ctx)
}

// one receives one stream.
func (o *options) one(ctx context.Context, args []string) error {
	receive := frame.ReceiveOptions{In: o.in, Out: o.out, Stall: o.stall, Shared: o.shared, Moved: &o.moved, Ending: &o.ending}
	var unpacker *pack.Decompressor
	if o.verify {
		receive.Out = nil
	}
	meter := frame.Meter{Moved: &o.moved, Ending: &o.ending, Program: o.progressFD.Writer()}
	if o.packing == pack.Zstd {
		receive.Linked, meter.Linked = &o.linked, &o.linked
		receive.Unpack = func() (frame.Unpacker, error) {
			d, err := pack.Decompress(ctx, !o.tty)
			if err != nil {
				return frame.Unpacker{}, err
			}
			unpacker = d
			return d.Unpacker(), nil
		}
		defer func() {
			if unpacker != nil {
				unpacker.Close()
			}
		}()
	}
	if o.expect.Given() {
		if err := o.checkExpected(args); err != nil {
			return err
		}
		receive.Split = o.expect.Splitter()
	}
	if len(args) > 0 {
		commands := o.newRuns(ctx, args)
		defer commands.end()
		var err error
		if receive.Out, receive.Command, err = commands.next(); err != nil {
			return o.report(frame.Trailer{}, err)
		}
		receive.Next = commands.next
	}
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

// checkExpected reports what is wrong with -expect-zfs, by itself and with
// what is to be done with the stream.
func (o *options) checkExpected(args []string) error {
	if err := o.expect.Check(); err != nil {
		return cli.Usagef("-expect-zfs: %w", err)
	}
	if len(args) == 0 && !o.verify && len(o.expect.To) > 1 {
		return cli.Usagef("-expect-zfs names several snapshots, and there is no command to run for each")
	}
	if len(args) == 1 && o.expect.To[0].Name != "" {
		return cli.Usagef("-expect-zfs names a snapshot, and the command has no argument that @%s could be added to", o.expect.To[0].Name)
	}
	return nil
}
