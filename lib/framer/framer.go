// Package framer is what the command lines of zsend-frame and zrecv-frame have
// in common: flags, the record of an outcome, and a stream for each command
// that -each brings. It moves no data, and does not decide what a stream is.
package framer

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"sync/atomic"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/child"
	"github.com/zrepl-tools/zrepl-tools/lib/clean"
	"github.com/zrepl-tools/zrepl-tools/lib/cli"
	"github.com/zrepl-tools/zrepl-tools/lib/frame"
	"github.com/zrepl-tools/zrepl-tools/lib/rate"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs/stream"
)

// Stream is one stream that a framer moves, and what its flags say of it.
type Stream struct {
	Expect   stream.Expect
	TTY      bool           // the command stays in this process group
	Progress bool           // for a person
	Status   cli.Descriptor // where the outcome goes
	Each     cli.Descriptor // where the commands come from
	Shared   rate.All       // see OpenRates

	In, Out *os.File
	Stderr  io.Writer
	Moved   atomic.Uint64
	Linked  atomic.Uint64 // the same, compressed

	Inputs *child.Inputs // of the commands of -each; nil without it

	program   cli.Descriptor
	rateFiles rate.Files
	said      *child.Tail // what the commands of -each write to stderr
}

// Flags adds the flags that both have; expect is the help of -expect-zfs, and
// progress whether it is shown unless the flag says otherwise.
func (s *Stream) Flags(fs *flag.FlagSet, expect string, progress bool) {
	fs.Var(&s.Expect, "expect-zfs", expect)
	fs.Var(&s.rateFiles, "rate-file", "share the rate in `file` with other processes; may be given several times")
	fs.BoolVar(&s.TTY, "tty", false, "leave the command in this process group, so that it can read the terminal")
	fs.BoolVar(&s.Progress, "progress", progress, "show progress on stderr")
	fs.Var(&s.program, "progress-fd", "write progress as JSON lines to descriptor `n`")
	fs.Var(&s.Status, "status-fd", "write the outcome as a JSON line to descriptor `n`")
}

// NotEnv lists the flags that no environment variable may set: they belong to
// one stream. More are those of one framer.
func NotEnv(more ...string) []string {
	return append([]string{"status-fd", "progress-fd", "rate-file", "expect-zfs", "each"}, more...)
}

// OpenRates opens the files of -rate-file, which the caller closes by Shared.
func (s *Stream) OpenRates() (err error) {
	if len(s.rateFiles) > 0 {
		s.Shared, err = rate.OpenAll(s.rateFiles)
	}
	return err
}

// Check reports what is wrong with -expect-zfs.
func (s *Stream) Check() error {
	if !s.Expect.Given() {
		return nil
	}
	if err := s.Expect.Check(); err != nil {
		return cli.Usagef("-expect-zfs: %w", err)
	}
	return nil
}

// Meter tells how the stream moves to those whom the flags name.
func (s *Stream) Meter() frame.Meter {
	m := frame.Meter{Moved: &s.Moved, Program: s.program.Writer()}
	if s.Progress {
		m.Person = s.Stderr
	}
	return m
}

// Outcome sums the stream up; see [frame.NewOutcome].
func (s *Stream) Outcome(t frame.Trailer, err error) frame.Outcome {
	out := frame.NewOutcome(t, s.Moved.Load(), err)
	out.Link = s.Linked.Load()
	if s.said != nil {
		out.Stderr = clean.Lines(s.said.String())
	}
	return out
}

// Report writes the outcome to -status-fd.
func (s *Stream) Report(out frame.Outcome) {
	if w := s.Status.Writer(); w != nil {
		w.Write(out.Line())
	}
}

// All moves a stream for each command that -each brings, by one, until one
// fails. The commands share guards: those of one stream have ended when the
// next begins. The next stream shares with s what belongs to all of them.
func (s *Stream) All(ctx context.Context, one func(next *Stream, j frame.Job) error) error {
	inputs := child.NewInputs(math.MaxInt, true)
	defer inputs.Close()
	return frame.Each(ctx, s.Each.File, func(j frame.Job) error {
		said := &child.Tail{}
		next := &Stream{Status: s.Status, program: s.program, Shared: s.Shared,
			In: s.In, Out: s.Out, Stderr: said, Inputs: inputs, said: said}
		for _, words := range j.Expect {
			if err := next.Expect.Set(words); err != nil {
				return fmt.Errorf("cannot read what is expected: %w", err)
			}
		}
		return one(next, j)
	})
}

// Kill kills a command, and before passes on the signal that stopped us.
func Kill(ctx context.Context, p *child.Process) {
	if s, ok := errors.AsType[cli.SignalError](context.Cause(ctx)); ok {
		p.End(s.Signal, time.Second)
	}
	p.Kill()
}
