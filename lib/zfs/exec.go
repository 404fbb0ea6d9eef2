package zfs

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

const (
	maxLine   = 1 << 20  // of output; a snapshot's clones can make a long one
	maxStderr = 64 << 10 // kept of what a command says
	grace     = 5 * time.Second
)

// lines runs zfs with args and calls each with every line of its output as it
// comes. An error of each ends the command and is returned as it is; the
// command's own failure is an *Error, also when it comes behind good output.
func (z *ZFS) lines(ctx context.Context, args []string, each func(line string) error) error {
	if z.Ran != nil {
		z.Ran(args)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd := z.command(ctx, args)
	said := &tail{max: maxStderr}
	cmd.Stderr = said
	out, err := cmd.StdoutPipe()
	if err != nil {
		return &Error{Args: args, Code: 1, Err: err}
	}
	if err := cmd.Start(); err != nil {
		return &Error{Args: args, Code: 1, Err: err}
	}
	readErr := readLines(out, each)
	if readErr != nil {
		cancel()
	}
	waitErr := cmd.Wait()
	if readErr != nil {
		return readErr
	}
	return result(ctx, args, cmd, waitErr, said)
}

// command speaks English, because messages are matched, and is asked to end
// before it is made to: a half-done zfs command is the kernel's to finish.
func (z *ZFS) command(ctx context.Context, args []string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, z.Path, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = grace
	return cmd
}

func result(ctx context.Context, args []string, cmd *exec.Cmd, waitErr error, said *tail) error {
	if waitErr == nil {
		return nil
	}
	e := &Error{Args: args, Code: 1, Stderr: said.String()}
	var exit *exec.ExitError
	switch {
	case errors.As(waitErr, &exit):
		e.Code = exit.ExitCode()
		if ws, ok := exit.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
			e.Code = 128 + int(ws.Signal())
		}
	default:
		e.Err = waitErr
	}
	if ctx.Err() != nil {
		e.Err = ctx.Err()
	}
	return e
}

func readLines(r io.Reader, each func(string) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 64<<10), maxLine)
	for lines.Scan() {
		if err := each(lines.Text()); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil && !errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil
}

// tail keeps the last max bytes written to it.
type tail struct {
	max int
	buf []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.buf = append(t.buf, p...)
	if over := len(t.buf) - t.max; over > 0 {
		t.buf = append(t.buf[:0], t.buf[over:]...)
	}
	return len(p), nil
}

// String drops control characters: names in messages are data.
func (t *tail) String() string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r != '\n' && (r < ' ' || r == 0x7f || 0x80 <= r && r < 0xa0) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(string(t.buf), "?")))
}
