package main

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/peterbourgon/ff/v3/ffcli"

	"github.com/zrepl-tools/zrepl-tools/lib/cli"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/daemon"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/job"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/systemd"
)

func daemonCommand(g *globals) *ffcli.Command {
	fs := g.flags("daemon")
	var ready cli.Descriptor
	fs.Var(&ready, "ready-fd", "write a line to `descriptor` when everything listens")
	format := fs.String("log", "text", "write the log as `format`: text or json")
	return &ffcli.Command{
		Name:       "daemon",
		ShortUsage: "zreplctl daemon [flags]",
		ShortHelp:  "Run every job at its interval, and let clients in through zstdinserver.",
		FlagSet:    fs,
		Exec: func(ctx context.Context, args []string) error {
			if len(args) > 0 {
				return cli.Usagef("unexpected argument %q: the daemon runs all jobs", args[0])
			}
			if *format != "text" && *format != "json" {
				return cli.Usagef("-log: %q is unknown: known are text and json", *format)
			}
			return g.daemon(ctx, ready.File, *format == "json")
		},
	}
}

// daemon runs until a signal ends it, which is no error.
func (g *globals) daemon(ctx context.Context, readyFile *os.File, asJSON bool) error {
	hangup, manager, sockets := cli.Hangups(ctx), systemd.Find(), systemd.Sockets()
	read, err := g.daemonReads()
	if err != nil {
		return err
	}
	c, text, err := read()
	if err != nil {
		return cli.WithStatus(cli.Usage, err)
	}
	program, err := os.Executable()
	if err != nil {
		return err
	}
	mode := fs.FileMode(0o755) // for sessions of other users to get to their sockets
	if filepath.Dir(c.Global.Control) == filepath.Clean(c.Global.RunDir) {
		mode = 0o700
	}
	if err := job.MakeRunDir(c.Global.RunDir, mode); err != nil {
		return err
	}
	level := slog.LevelInfo
	if g.verbose {
		level = slog.LevelDebug
	}
	log := slog.New(logHandler(g.stderr, asJSON, level))
	kept, started, noted := state.Of(c.Global), time.Now(), false
	besides := companion{ctx: ctx, program: program, log: log}
	defer besides.end()
	note := daemonNote{started: started, log: log}
	reloaded := func(c *config.Config, text []byte) {
		note.reloaded(c, text)
		besides.adopt(c)
	}
	ready := func() { // now no other daemon runs
		noted = true
		reloaded(c, text)
		tell(readyFile)
	}
	err = daemon.Run(ctx, daemon.Options{Config: c, Text: text, Program: program, Log: log,
		PID: os.Getpid(), Started: started, Ready: ready, Read: read, Hangup: hangup,
		Reloaded: reloaded, Broken: note.broke, LastRun: recordedRun(kept), Manager: manager, Sockets: sockets})
	if noted {
		if left := job.RemoveDaemon(kept); left != nil {
			log.Warn("the note that the daemon runs is left", "error", left)
		}
	}
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// logHandler writes the daemon's log, with priorities if the journal reads it.
func logHandler(w io.Writer, asJSON bool, level slog.Level) slog.Handler {
	handler := func(w io.Writer) slog.Handler {
		if asJSON {
			return slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level})
		}
		return slog.NewTextHandler(w, &slog.HandlerOptions{Level: level})
	}
	if systemd.InJournal(syscall.Stderr) {
		return systemd.Priorities(w, handler)
	}
	return handler(w)
}

// daemonReads returns what reads the daemon's configuration, the same file each
// time: its children have another directory, and another may come to be first
// of the default places.
func (g *globals) daemonReads() (func() (*config.Config, []byte, error), error) {
	path := g.configPath
	switch path {
	case "-":
		return nil, cli.Usagef("the daemon requires a file: it reads it again at SIGHUP")
	case "":
		var err error
		if path, err = g.find(); err != nil {
			return nil, cli.WithStatus(cli.Usage, err)
		}
	}
	path, err := filepath.Abs(path)
	return func() (*config.Config, []byte, error) { return config.LoadText(path) }, err
}

// companion is what the daemon does besides, by the configuration in force.
type companion struct {
	ctx     context.Context
	program string
	log     *slog.Logger

	config *config.Config
	stop   context.CancelFunc
	wait   func()
}

// adopt goes by a configuration. What does not change is not disturbed: nobody
// who looks at the page is cut off.
func (b *companion) adopt(c *config.Config) {
	if b.config != nil && b.config.Global.Monitor.Listen == c.Global.Monitor.Listen && b.config.Notifies() == c.Notifies() {
		return
	}
	b.end()
	var ctx context.Context
	ctx, b.stop = context.WithCancel(b.ctx)
	b.config, b.wait = c, (&beside{config: c, program: b.program, log: b.log}).start(ctx)
}

func (b *companion) end() {
	if b.stop != nil {
		b.stop()
		b.wait()
	}
}

// recordedRun returns what tells when a job ran last, also by hand or from cron. The
// record of a job that runs in parts may be that of one of them.
func recordedRun(dir state.Dir) func(*config.Job) time.Time {
	return func(j *config.Job) time.Time {
		if !j.Replicates() && j.Snapshots() && j.Prunes() {
			return time.Time{}
		}
		record, err := job.ReadRecord(dir, j.Name)
		if err != nil {
			return time.Time{}
		}
		return record.Started.Time
	}
}

// tell tells whoever waits for the daemon.
func tell(f *os.File) {
	if f == nil {
		return
	}
	f.WriteString("ready\n")
	if f.Fd() > 2 {
		f.Close()
	}
}
