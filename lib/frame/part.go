package frame

import (
	"context"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// attach makes out, the stdin of a command or not, the current output.
func (r *receiver) attach(out *os.File, cmd Command) (err error) {
	r.Out, r.Command = out, cmd
	if cmd != nil {
		r.current.Store(&cmd)
	}
	if out != nil {
		if r.out, err = newPort(out); err != nil {
			return fmt.Errorf("cannot write: %w", err)
		}
		r.out.enlarge()
		if cmd != nil { // this descriptor is ours alone
			if err := unix.SetNonblock(r.out.fd, true); err != nil {
				return os.NewSyscallError("fcntl", err)
			}
		}
	}
	w, err := newWatch(r.ctx, cmd)
	if err != nil {
		return err
	}
	if r.watch != nil {
		r.watch.close()
	}
	r.watch = w
	return nil
}

// kill kills the current command, from another goroutine.
func (r *receiver) kill() {
	if cmd := r.current.Load(); cmd != nil {
		(*cmd).Kill()
	}
}

// endPart gives the current command the end of its input, and waits for its
// own.
func (r *receiver) endPart() error {
	if r.Ending != nil {
		r.Ending.Store(true)
		defer r.Ending.Store(false)
	}
	r.Command.Finish()
	r.Out.Close()
	return r.awaitCommand()
}

// nextPart ends one part and begins the next.
func (r *receiver) nextPart() error {
	if r.Next == nil || r.Command == nil {
		return fmt.Errorf("cannot pass on a stream of several parts: there is no command to run for each")
	}
	if err := r.endPart(); err != nil {
		return err
	}
	out, cmd, err := r.Next()
	if err != nil {
		return err
	}
	if err := r.attach(out, cmd); err != nil {
		return err
	}
	return context.Cause(r.ctx)
}
