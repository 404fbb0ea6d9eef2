package cli

import (
	"context"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
)

// SignalError is the cause of a context that a signal has cancelled.
type SignalError struct{ Signal syscall.Signal }

// Error names the signal.
func (e SignalError) Error() string { return "stopped by signal: " + e.Signal.String() }

// ExitStatus is 128 and the signal's number, as a shell has it.
func (e SignalError) ExitStatus() int { return 128 + int(e.Signal) }

// spared is the key of the context's value that says that SIGHUP does not
// cancel it.
type spared struct{}

// Context returns a context that the first SIGINT, SIGTERM or SIGHUP cancels,
// with a SignalError as its cause. A second one ends the process as if there
// were no handler. A program calls it once, in main. A SIGHUP that is ignored
// at the start, as under nohup(1), stays ignored.
func Context() context.Context {
	spare := &atomic.Bool{}
	ctx, cancel := context.WithCancelCause(context.WithValue(context.Background(), spared{}, spare))
	signals := []os.Signal{syscall.SIGINT, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	got := make(chan os.Signal, 1)
	signal.Notify(got, signals...)
	go func() {
		for s := range got {
			if s == syscall.SIGHUP && spare.Load() {
				continue
			}
			signal.Stop(got)
			cancel(SignalError{s.(syscall.Signal)})
			return
		}
	}()
	return ctx
}

// Hangups returns a channel that gets each SIGHUP from now on, for a program
// that reads its configuration again then. They do not cancel ctx, which comes
// from Context, and do not end the process, even after ctx was cancelled.
func Hangups(ctx context.Context) <-chan os.Signal {
	if spare, ok := ctx.Value(spared{}).(*atomic.Bool); ok {
		spare.Store(true)
	}
	got := make(chan os.Signal, 1)
	signal.Notify(got, syscall.SIGHUP)
	return got
}
