package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/control"
)

// beside is what the daemon does besides running jobs: it tells of changes,
// and shows how the jobs are. Each look is a process of its own, as a run of a
// job is: what it costs is given back, and a crash costs one look.
type beside struct {
	config  *config.Config
	program string
	log     *slog.Logger

	mu    sync.Mutex // one look at a time
	pages map[string]page
}

// page is what a look printed.
type page struct {
	made time.Time
	text []byte
}

const (
	notifyEvery = 5 * time.Minute
	pageAge     = 30 * time.Second // how long a page is shown again
	lookLimit   = 10 * time.Minute
	maxPage     = 64 << 20
	listenRetry = 30 * time.Second
)

// start begins it all, and returns what waits for its end, once ctx is
// cancelled.
func (b *beside) start(ctx context.Context) (wait func()) {
	b.pages = map[string]page{}
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
	address := b.config.Global.Monitor.Listen
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", b.handler("report", "text/html; charset=utf-8"))
	mux.HandleFunc("GET /metrics", b.handler("metrics", "text/plain; version=0.0.4; charset=utf-8"))
	for ctx.Err() == nil {
		s := &http.Server{Addr: address, Handler: mux, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute,
			MaxHeaderBytes: 16 << 10, BaseContext: func(net.Listener) context.Context { return ctx },
			ErrorLog: slog.NewLogLogger(b.log.Handler(), slog.LevelDebug)}
		stop := context.AfterFunc(ctx, func() { s.Close() })
		err := s.ListenAndServe()
		stop()
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

func (b *beside) handler(command, kind string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		text, err := b.page(r.Context(), command)
		if err != nil {
			b.log.Warn("cannot make a page", "page", r.URL.Path, "error", err)
			http.Error(w, "the page could not be made: see the daemon's log", http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", kind)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		w.Write(text)
	}
}

// page returns a page that is not old. Who asks often makes nobody look more
// often.
func (b *beside) page(ctx context.Context, command string) ([]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if p := b.pages[command]; p.text != nil && time.Since(p.made) < pageAge {
		return p.text, nil
	}
	text, err := b.look(ctx, command)
	if err == nil {
		b.pages[command] = page{time.Now(), text}
	}
	return text, err
}
