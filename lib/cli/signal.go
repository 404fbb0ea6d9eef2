package cli

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// SignalError is the cause of a context that a signal has cancelled.
type SignalError struct{ Signal syscall.Signal }

// Error names the signal.
func (e SignalError) Error() string { return "stopped by signal: " + e.Signal.String() }

// ExitStatus is 128 and the signal's number, as a shell has it.
func (e SignalError) ExitStatus() int { return 128 + int(e.Signal) }

// Context returns a context that the first SIGINT, SIGTERM or SIGHUP cancels,
// with a SignalError as its cause. A second one ends the process as if there
// were no handler. A program calls it once, in main. A SIGHUP that is ignored
// at the start, as under nohup(1), stays ignored.
func Context() context.Context {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := []os.Signal{syscall.SIGINT, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	got := make(chan os.Signal, 1)
	signal.Notify(got, signals...)
	go func() {
		s := <-got
		signal.Stop(got)
		cancel(SignalError{s.(syscall.Signal)})
	}()
	return ctx
}
