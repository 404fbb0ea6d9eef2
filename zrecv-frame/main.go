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
	"github.com/zrepl-tools/zrepl-tools/lib/framer"
	"github.com/zrepl-tools/zrepl-tools/lib/pack"
)

func main() {
	ctx, cancel := context.WithCancelCause(cli.Context())
	child.Watch(func() { cancel(errors.New("the parent process is gone")) })
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

type options struct {
	*framer.Stream
	packing string
	stall   time.Duration
	verify  bool
	ending  atomic.Bool
}

func run(ctx context.Context, args []string, stdin, stdout *os.File, stderr io.Writer) int {
	o := options{Stream: &framer.Stream{In: stdin, Out: stdout, Stderr: stderr}}
	fs := flag.NewFlagSet("zrecv-frame", flag.ContinueOnError)
	fs.StringVar(&o.packing, "decompress", "off", "decompress a stream that is compressed by `method`: zstd, or off to refuse it")
	fs.DurationVar(&o.stall, "stall", time.Minute, "stop if nothing arrives for `silence`, not even a heartbeat; 0: never")
	fs.BoolVar(&o.verify, "verify", false, "check the stream, and write nothing")
	o.Flags(fs, "accept only the zfs stream that these `words` name: to=GUID[@NAME], from=GUID, raw, …", cli.Terminal(stderr))
	fs.Var(&o.Each, "each", "read commands as JSON lines from descriptor `n`, and pass a stream to each")
	tool := cli.Tool{
		Command: &ffcli.Command{
			Name:       "zrecv-frame",
			ShortUsage: "zrecv-frame [flags] [command [argument ...]]\nzrecv-frame -verify [flags]",
			ShortHelp:  "Check a framed stream on stdin, and pass its data to stdout or to the command.",
			FlagSet:    fs,
			Exec:       o.exec,
		},
		RunsCmd: true,
		NotEnv:  framer.NotEnv("verify", "decompress"),
		Stdout:  stdout,
		Stderr:  stderr,
	}
	return tool.Run(ctx, args)
}

func (o *options) exec(ctx context.Context, args []string) error {
	if err := o.OpenRates(); err != nil {
		return err
	}
	defer o.Shared.Close()
	switch {
	case o.verify && len(args) > 0:
		return cli.Usagef("-verify runs no command")
	case o.packing != "off" && o.packing != pack.Zstd:
		return cli.Usagef("-decompress: %q is not off or zstd", o.packing)
	case o.stall < 0:
		return cli.Usagef("-stall must not be negative")
	case o.Each.File == nil:
		return o.one(ctx, args)
	case len(args) > 0 || o.verify || o.Expect.Given() || o.TTY || o.Status.File == nil:
		return cli.Usagef("-each needs -status-fd, and takes no command, no -verify, no -expect-zfs and no -tty")
	}
	return o.all(ctx)
}

// one receives one stream.
func (o *options) one(ctx context.Context, args []string) error {
	receive := frame.ReceiveOptions{In: o.In, Out: o.Out, Stall: o.stall, Shared: o.Shared, Moved: &o.Moved, Ending: &o.ending}
	var unpacker *pack.Decompressor
	if o.verify {
		receive.Out = nil
	}
	meter := o.Meter()
	meter.Ending = &o.ending
	if o.packing == pack.Zstd {
		receive.Linked, meter.Linked = &o.Linked, &o.Linked
		receive.Unpack = func() (frame.Unpacker, error) {
			d, err := pack.Decompress(ctx, !o.TTY)
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
	if err := o.checkExpected(args); err != nil {
		return err
	}
	if o.Expect.Given() {
		receive.Split = o.Expect.Splitter()
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
	if err := o.Check(); err != nil || !o.Expect.Given() {
		return err
	}
	if len(args) == 0 && !o.verify && len(o.Expect.To) > 1 {
		return cli.Usagef("-expect-zfs names several snapshots, and there is no command to run for each")
	}
	if len(args) == 1 && o.Expect.To[0].Name != "" {
		return cli.Usagef("-expect-zfs names a snapshot, and the command has no argument that @%s could be added to", o.Expect.To[0].Name)
	}
	return nil
}
