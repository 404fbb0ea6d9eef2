package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/cli"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/control"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/job"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
)

const (
	pollEvery = time.Second
	lookEvery = time.Minute
)

// follow prints again whenever something changes: in the daemon, or in a run
// that it has not started. Health is looked at now and then: it changes slowly,
// and costs a list of all snapshots.
func (p *statusPrinter) follow(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	daemon := make(chan heard)
	go watchDaemon(ctx, p.c.Global.Control, daemon)
	poll := time.NewTicker(pollEvery)
	defer poll.Stop()
	var last control.Status
	seen, known := "", false
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-daemon:
			switch {
			case ctx.Err() != nil: // which ended that connection, too
				return nil
			case now.err != nil:
				return cli.WithStatus(cli.TryLater, cli.Cannot("watch the daemon", p.c.Global.Control, now.err))
			case known && last.PID == 0 && now.status.PID == 0:
				continue // there still is none
			}
			last, known = now.status, true
		case <-poll.C:
			if !known || p.outside() == seen {
				continue
			}
		}
		seen = p.outside()
		if err := p.again(ctx, last); err != nil {
			return cli.Quiet(err)
		}
	}
}

// again prints a status where an earlier one was.
func (p *statusPrinter) again(ctx context.Context, s control.Status) error {
	s.Jobs = append([]control.Job(nil), s.Jobs...) // it is completed in place
	if p.tty && !p.json {
		return p.draw(ctx, s)
	}
	err := p.print(ctx, s)
	if err == nil && !p.tty && !p.json {
		p.out.Text("\n")
	}
	return err
}

// heard is what the daemon says, or why it says nothing.
type heard struct {
	status control.Status
	err    error
}

// watchDaemon passes on what the daemon says. As long as there is none, or it
// may not be asked, it passes on an empty status and tries again. It ends with
// the connection.
func watchDaemon(ctx context.Context, sockpath string, to chan<- heard) {
	for ctx.Err() == nil {
		for s, err := range control.Watch(ctx, sockpath) {
			away := errors.Is(err, control.ErrAway) || errors.Is(err, fs.ErrPermission)
			if away {
				s, err = control.Status{}, nil
			}
			select {
			case to <- heard{s, err}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
			if away {
				break
			}
		}
		select {
		case <-time.After(pollEvery):
		case <-ctx.Done():
		}
	}
}

// outside says what the runs of all jobs have left: it changes whenever one
// begins, notes its progress, or ends.
func (p *statusPrinter) outside() string {
	var b strings.Builder
	dir := state.Of(p.c.Global)
	for _, j := range p.c.Jobs {
		for _, name := range job.Notes(j.Name) {
			if info, err := os.Stat(dir.Path(name)); err == nil {
				b.WriteString(fmt.Sprintf("%s %d\n", name, info.ModTime().UnixNano()))
			}
		}
	}
	return b.String()
}
