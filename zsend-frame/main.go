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
	packing   string
	method    pack.Method
	checksum  string
	heartbeat time.Duration
	rate      cli.Size
}

func run(ctx context.Context, args []string, stdin, stdout *os.File, stderr io.Writer) int {
	o := options{Stream: &framer.Stream{In: stdin, Out: stdout, Stderr: stderr}}
	fs := flag.NewFlagSet("zsend-frame", flag.ContinueOnError)
	fs.StringVar(&o.checksum, "checksum", "crc32c", "protect the data with `sum`: crc32c, or none if the transport protects it")
	fs.StringVar(&o.packing, "compress", "off", "compress the data by `method`: zstd, zstd-1 to zstd-19, or off")
	fs.DurationVar(&o.heartbeat, "heartbeat", 10*time.Second, "send a heartbeat after `silence`; 0: never")
	fs.Var(&o.rate, "rate", "send at most `bytes` a second, such as 50M")
	o.Flags(fs, "send only the zfs stream that these `words` name: to=GUID, from=GUID, raw, …", false)
	fs.Var(&o.Each, "each", "read commands as JSON lines from descriptor `n`, and frame the output of each")
	tool := cli.Tool{
		Command: &ffcli.Command{
			Name:       "zsend-frame",
			ShortUsage: "zsend-frame [flags] [command [argument ...]]",
			ShortHelp:  "Frame stdin, or the command's output, so that the reader sees its end, its failure and its corruption.",
			FlagSet:    fs,
			Exec:       o.exec,
		},
		RunsCmd: true,
		NotEnv:  framer.NotEnv("compress"),
		Stdout:  stdout,
		Stderr:  stderr,
	}
	return tool.Run(ctx, args)
}

func (o *options) exec(ctx context.Context, args []string) error {
	sum, err := frame.ParseChecksum(o.checksum)
	if err == nil {
		if err := o.OpenRates(); err != nil {
			return err
		}
		defer o.Shared.Close()
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
	case o.Each.File == nil:
		return o.one(ctx, sum, args)
	case len(args) > 0 || o.Expect.Given() || o.method != "" || o.TTY || o.Progress || o.Status.File == nil:
		return cli.Usagef("-each needs -status-fd, and takes no command, no -compress, no -expect-zfs, no -progress and no -tty")
	}
	return o.all(ctx, sum)
}

// one sends one stream.
func (o *options) one(ctx context.Context, sum frame.Checksum, args []string) error {
	send := frame.SendOptions{In: o.In, Out: o.Out, Checksum: sum, Heartbeat: o.heartbeat, Rate: int64(o.rate), Shared: o.Shared, Moved: &o.Moved}
	if err := o.Check(); err != nil {
		return err
	}
	if o.Expect.Given() {
		send.Inspect = o.Expect.Inspect
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
	meter := o.Meter()
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
		meter.Linked = &o.Linked
	}
	stop := meter.Run()
	t, err := frame.Send(ctx, send)
	stop()
	return o.report(args, t, err)
}
