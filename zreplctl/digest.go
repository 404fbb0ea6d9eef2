package main

import (
	"bufio"
	"context"
	"io"
	"strconv"
	"strings"

	"github.com/peterbourgon/ff/v3/ffcli"

	"github.com/zrepl-tools/zrepl-tools/lib/cli"
	"github.com/zrepl-tools/zrepl-tools/lib/digest"
)

func digestCommand(g *globals) *ffcli.Command {
	set := g.flags("digest")
	objects := set.Bool("objects", false, "print the digest of each object, too")
	return &ffcli.Command{
		Name:       "digest",
		ShortUsage: "zfs send -L snapshot | zreplctl digest [-objects]",
		ShortHelp:  "Print the digest of what a stream of zfs send holds.",
		FlagSet:    set,
		Exec: func(ctx context.Context, args []string) error {
			switch {
			case len(args) > 0:
				return cli.Usagef("unexpected argument %q: digest reads standard input", args[0])
			case cli.Terminal(g.stdin):
				return cli.Hint(cli.Usagef("standard input is a terminal"), "zfs send -L pool/dataset@snapshot | zreplctl digest")
			}
			return g.printDigest(ctx, *objects)
		},
	}
}

// printDigest prints the line of the whole last: without it, the lines of
// objects before it are of a bad stream.
func (g *globals) printDigest(ctx context.Context, objects bool) error {
	lines := bufio.NewWriterSize(g.stdout, 64<<10)
	out := cli.NewOut(lines)
	var each func(digest.Object) error
	if objects {
		each = func(o digest.Object) error {
			return cli.Quiet(out.Record(o.Sum.String(), strconv.FormatUint(o.Number, 10)))
		}
	}
	result, err := digest.Stream(stoppable{ctx, g.stdin}, each)
	if err != nil {
		return cli.Cannot("compute the digest of", "standard input", err)
	}
	if err := out.Record(digestColumns(result)...); err != nil {
		return cli.Quiet(err)
	}
	return cli.Quiet(lines.Flush())
}

func digestColumns(r digest.Result) []string {
	kind := []string{"filesystem", "plain", "little-endian"}
	if r.Volume {
		kind[0] = "volume"
	}
	if r.Raw {
		kind[1] = "raw"
	}
	if r.BigEndian {
		kind[2] = "big-endian"
	}
	return []string{r.Sum.String(), strings.Join(kind, ","), strconv.FormatUint(r.Objects, 10), strconv.FormatUint(r.Bytes, 10), r.GUID.String(), r.Name}
}

// stoppable ends with the context, also while more and more arrives.
type stoppable struct {
	ctx context.Context
	in  io.Reader
}

func (s stoppable) Read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	return s.in.Read(p)
}
