package main

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/peterbourgon/ff/v3/ffcli"

	"github.com/zrepl-tools/zrepl-tools/lib/cli"
	"github.com/zrepl-tools/zrepl-tools/lib/progress"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/daemon"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/job"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/observe"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
)

func daemonCommand(g *globals) *ffcli.Command {
	fs := g.flags("daemon")
	var ready cli.Descriptor
	fs.Var(&ready, "ready-fd", "write a line to `descriptor` when everything listens")
	return &ffcli.Command{
		Name:       "daemon",
		ShortUsage: "zreplctl daemon [flags]",
		ShortHelp:  "Run every job at its interval, and let clients in through zstdinserver.",
		FlagSet:    fs,
		Exec: func(ctx context.Context, args []string) error {
			if len(args) > 0 {
				return cli.Usagef("unexpected argument %q: the daemon runs all jobs", args[0])
			}
			return g.daemon(ctx, ready.File)
		},
	}
}

// daemon runs until a signal ends it, which is no error.
func (g *globals) daemon(ctx context.Context, readyFile *os.File) error {
	sum := observe.Sum(g.configPath) // of no newer file than is read
	c, err := g.load()
	if err != nil {
		return err
	}
	if g.configPath == "" {
		sum = observe.Sum(c.Path)
	}
	if c.Path == "-" {
		return cli.Usagef("the daemon requires a file: its jobs read it again")
	}
	if c.Path, err = filepath.Abs(c.Path); err != nil {
		return err
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
	log := slog.New(slog.NewTextHandler(g.stderr, &slog.HandlerOptions{Level: level}))
	besides, stop := context.WithCancel(ctx)
	wait := func() {}
	defer func() { stop(); wait() }()
	kept, started, noted := state.Of(c.Global), time.Now(), false
	ready := func() { // now no other daemon runs
		noted = true
		if err := job.WriteDaemon(kept, job.DaemonNote{Started: progress.At(started), Config: c.Path, Sum: sum}); err != nil {
			log.Warn("others cannot see that the daemon runs", "error", err)
		}
		if err := kept.Shared(); err != nil {
			log.Warn("the group of monitor cannot look", "error", err)
		}
		wait = (&beside{config: c, program: program, log: log}).start(besides)
		tell(readyFile)
	}
	err = daemon.Run(ctx, daemon.Options{Config: c, Program: program, Log: log,
		PID: os.Getpid(), Started: started, Ready: ready})
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
