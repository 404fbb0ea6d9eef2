package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"syscall"
	"time"

	"github.com/peterbourgon/ff/v3/ffcli"

	"github.com/zrepl-tools/zrepl-tools/lib/cli"
	"github.com/zrepl-tools/zrepl-tools/lib/identity"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/job"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/pause"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
)

func serveCommand(g *globals) *ffcli.Command {
	fs := g.flags("serve")
	var status cli.Descriptor
	fs.Var(&status, "status-fd", "write events as lines of JSON to `descriptor`")
	return &ffcli.Command{
		Name:       "serve",
		ShortUsage: "zreplctl serve [flags] identity",
		ShortHelp:  "Serve one connection of a client on standard input and output.",
		FlagSet:    fs,
		Exec: func(ctx context.Context, args []string) error {
			if len(args) != 1 {
				return cli.Usagef("serve requires one client identity")
			}
			return g.serve(ctx, args[0], status.Writer())
		},
	}
}

func (g *globals) serve(ctx context.Context, id string, status io.Writer) error {
	if err := identity.Check(id); err != nil {
		return cli.WithStatus(cli.Usage, cli.Cannot("serve client", id, err))
	}
	c, err := g.load()
	if err != nil {
		if status == nil { // a forced command: the client reads what we say
			err = notToClients(id)
		}
		return err
	}
	j, err := c.Serving(id)
	if err != nil {
		return cli.WithStatus(cli.Usage, err)
	}
	_ = pause.Settle(state.Of(c.Global), j.Name, time.Now()) // without it the pause is only longer
	if paused, _, err := pause.Look(state.Of(c.Global), j.Name, time.Now()); paused || err != nil {
		return cli.WithStatus(cli.TryLater, cli.Cannot("serve client", id, cmp.Or(err, errors.New("its job is paused"))))
	}
	programs, err := findPrograms()
	if err != nil {
		return err
	}
	if err := programs.Serve(ctx, c, id, g.stdin, g.protocol, status); err != nil {
		return noRoom(fmt.Errorf("cannot serve client %q: %w", id, err))
	}
	return nil
}

// noRoom makes an error of a system that has nothing left one that may pass.
func noRoom(err error) error {
	for _, errno := range []error{syscall.EMFILE, syscall.ENFILE, syscall.EAGAIN, syscall.ENOMEM, syscall.ENOLCK} {
		if errors.Is(err, errno) {
			return cli.WithStatus(cli.TryLater, err)
		}
	}
	return err
}

// notToClients stands for an error of the configuration, which is about other
// clients, too.
func notToClients(id string) error {
	err := fmt.Errorf("cannot serve client %q: the configuration on the serving host is missing or has errors", id)
	return cli.WithStatus(cli.Usage, cli.Hint(err, "zreplctl check over there says which"))
}

// findPrograms finds what a job needs to move streams.
func findPrograms() (p job.Programs, err error) {
	if p.ZFS, err = zfs.Find(); err != nil {
		return p, err
	}
	if p.SendFrame, err = cli.Program("zsend-frame"); err != nil {
		return p, err
	}
	p.RecvFrame, err = cli.Program("zrecv-frame")
	return p, err
}
