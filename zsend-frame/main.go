// Zsend-frame frames a byte stream so that its end, its failure and its
// corruption are visible.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
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
	method     pack.Method
	checksum   string
	heartbeat  time.Duration
	rate       cli.Size
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

	inputs *child.Inputs // of the commands of -each
	said   *child.Tail   // what they write to stderr
}

func run(ctx context.Context, args []string, stdin, stdout *os.File, stderr io.Writer) int {
	o := options{in: stdin, out: stdout, stderr: stderr}
	fs := flag.NewFlagSet("zsend-frame", flag.ContinueOnError)
	fs.StringVar(&o.checksum, "checksum", "crc32c", "protect the data with `sum`: crc32c, or none if the transport protects it")
	fs.StringVar(&o.packing, "compress", "off", "compress the data by `method`: zstd, zstd-1 to zstd-19, or off")
	fs.DurationVar(&o.heartbeat, "heartbeat", 10*time.Second, "send a heartbeat after `silence`; 0: never")
	fs.Var(&o.rate, "rate", "send at most `bytes` a second, such as 50M")
	fs.Var(&o.expect, "expect-zfs", "send only the zfs stream that these `words` name: to=GUID, from=GUID, raw, …")
	fs.Var(&o.rateFiles, "rate-file", "share the rate in `file` with other processes; may be given several times")
	fs.BoolVar(&o.tty, "tty", false, "leave the command in this process group, so that it can read the terminal")
	fs.BoolVar(&o.progress, "progress", false, "show progress on stderr")
	fs.Var(&o.progressFD, "progress-fd", "write progress as JSON lines to descriptor `n`")
	fs.Var(&o.statusFD, "status-fd", "write the outcome as a JSON line to descriptor `n`")
	fs.Var(&o.each, "each", "read commands as JSON lines from descriptor `n`, and frame the output of each")
	tool := cli.Tool{
		Command: &ffcli.Command{
			Name:       "zsend-frame",
			ShortUsage: "zsend-frame [flags] [command [argument ...]]",
			ShortHelp:  "Frame stdin, or the command's output, so that the reader sees its end, its failure and its corruption.",
			FlagSet:    fs,
			Exec:       o.exec,
		},
		RunsCmd: true,
		NotEnv:  []string{"status-fd", "progress-fd", "rate-file", "expect-zfs", "each", "compress"},
		Stdout:  stdout,
		Stderr:  stderr,
	}
	return tool.Run(ctx, args)
}

func (o *options) exec(ctx context.Context, args []string) error {
	sum, err := frame.ParseChecksum(o.checksum)
	if err == nil && len(o.rateFiles) > 0 {
		if o.shared, err = rate.OpenAll(o.rateFiles); err != nil {
			return err
		}
		defer o.shared.Close()
	}
	if err == nil {
		if o.method, err = pack.Parse(o.packing); err != nil {
			err = fmt.Errorf("-compress: %w", err)
		}
	}
	switch {
	case err != nil:
		return cli.Usagef("%w", err)
	case o.heartbeat < 0:
		return cli.Usagef("-heartbeat must not be negative")
	case o.each.File == nil:
		return o.one(ctx, sum, args)
	case len(args) > 0 || o.expect.Given() || o.method != "" || o.tty || o.progress || o.statusFD.File == nil:
		return cli.Usagef("-each needs -status-fd, and takes no command, no -compress, no -expect-zfs, no -progress and no -tty")
	}
	return o.all(ctx, sum)
}

// one sends one stream.
func (o *options) one(ctx context.Context, sum frame.Checksum, args []string) error {
	send := frame.SendOptions{In: o.in, Out: o.out, Checksum: sum, Heartbeat: o.heartbeat, Rate: int64(o.rate), Shared: o.shared, Moved: &o.moved}
	if o.expect.Given() {
		if err := o.expect.Check(); err != nil {
			return cli.Usagef("-expect-zfs: %w", err)
		}
		send.Inspect = o.expect.Inspect
	}
	if len(args) > 0 {
		command, err := o.start(ctx, args, &send)
		if err != nil {
			o.sayFailed(sum, err)
			return o.report(args, frame.Trailer{}, err)
		}
		defer command.Wait()
		defer send.In.Close() // of the command's output, also if that is compressed
	}
	meter := frame.Meter{Moved: &o.moved, Program: o.progressFD.Writer()}
	if o.method != "" {
		packer, err := o.compress(ctx, &send)
		if err != nil {
			if send.Command != nil {
				send.Command.Kill()
			}
			o.sayFailed(sum, err)
			return o.report(args, frame.Trailer{}, err)
		}
		defer packer.Close()
		meter.Linked = &o.linked
	}
	if o.progress {
		meter.Person = o.stderr
	}
	stop := meter.Run()
	t, err := frame.Send(ctx, send)
	stop()
	return o.report(args, t, err)
}
