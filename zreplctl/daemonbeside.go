package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/control"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/webpage"
)

// beside is what the daemon does besides running jobs: it tells of changes,
// and shows how the jobs are. Each look is a process of its own, as a run of a
// job is: what it costs is given back, and a crash costs one look.
type beside struct {
	config  *config.Config
	program string
	log     *slog.Logger
}

const (
	notifyEvery = 5 * time.Minute
	lookLimit   = 10 * time.Minute
	maxPage     = 64 << 20
	listenRetry = 30 * time.Second
)

// start begins it all, and returns what waits for its end, once ctx is
// cancelled.
func (b *beside) start(ctx context.Context) (wait func()) {
	var all sync.WaitGroup
	if b.config.Notifies() {
		all.Go(func() { b.notify(ctx) })
	}
	if b.config.Global.Monitor.Listen != "" {
		all.Go(func() { b.serve(ctx) })
	}
	return all.Wait
}

func (b *beside) notify(ctx context.Context) {
	tick := time.NewTicker(notifyEvery)
	defer tick.Stop()
	for {
		if _, err := b.look(ctx, "notify"); err != nil && ctx.Err() == nil {
			b.log.Warn("cannot notify", "error", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// look runs a command of ours and returns what it printed.
func (b *beside) look(ctx context.Context, command string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, lookLimit)
	defer cancel()
	var out, said bytes.Buffer
	cmd := exec.CommandContext(ctx, b.program, command, "-config", b.config.Path)
	cmd.Env = append(os.Environ(), control.ChildEnv+"=1")
	cmd.Stdout, cmd.Stderr = &out, &said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%w: %.500s", err, bytes.TrimSpace(said.Bytes()))
	}
	if out.Len() > maxPage {
		return nil, errors.New("what it printed is too long")
	}
	return out.Bytes(), nil
}

// serve shows the page and the metrics until ctx is cancelled.
func (b *beside) serve(ctx context.Context) {
	source := func(command, kind string) webpage.Source {
		return webpage.Source{Type: kind, Make: func(ctx context.Context) ([]byte, error) { return b.look(ctx, command) }}
	}
	address := b.config.Global.Monitor.Listen
	s := &webpage.Server{Address: address, Names: ownNames(address), Log: slog.NewLogLogger(b.log.Handler(), slog.LevelDebug),
		Warn: func(path string, err error) { b.log.Warn("cannot make a page", "page", path, "error", err) },
		Pages: map[string]webpage.Source{
			"/":        source("report", "text/html; charset=utf-8"),
			"/metrics": source("metrics", "text/plain; version=0.0.4; charset=utf-8"),
		}}
	for {
		err := s.Serve(ctx)
		if ctx.Err() != nil {
			return
		}
		b.log.Error("no page and no metrics", "listen", address, "error", err)
		select {
		case <-time.After(listenRetry):
		case <-ctx.Done():
		}
	}
}

// ownNames are the names of this host, if others can reach the address.
func ownNames(address string) []string {
	at, err := netip.ParseAddrPort(address)
	name, nerr := os.Hostname()
	if err != nil || nerr != nil || at.Addr().IsLoopback() {
		return nil
	}
	short, _, _ := strings.Cut(name, ".")
	return []string{name, short}
}
