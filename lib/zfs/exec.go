package zfs

import (
	"bufio"
	"context"
	"io"
	"os"
	"syscall"

	"github.com/zrepl-tools/zrepl-tools/lib/child"
)

const (
	maxLine   = 1 << 20  // of output; a snapshot's clones can make a long one
	maxStderr = 64 << 10 // kept of what a command says
)

// lines runs zfs with args and calls each with every line of its output as it
// comes. An error of each ends the command and is returned as it is; the
// command's own failure is an *Error, also when it comes behind good output.
func (z *ZFS) lines(ctx context.Context, args []string, each func(line string) error) error {
	if z.Ran != nil {
		z.Ran(args)
	}
	r, w, err := child.Pipe()
	if err != nil {
		return &Error{Args: args, Code: 1, Err: err}
	}
	defer r.Close()
	p, err := child.Start(ctx, child.Cmd{
		Args: append([]string{z.Path}, args...),
		// Messages are matched, so they must be in English.
		Env:    append(os.Environ(), "LC_ALL=C"),
		Stdout: w,
		Stderr: &child.Tail{Max: maxStderr},
	})
	w.Close()
	if err != nil {
		return &Error{Args: args, Code: 1, Err: err}
	}
	readErr := readLines(r, each)
	if readErr != nil {
		r.Close() // so that it is not stuck in writing
		p.Signal(syscall.SIGTERM)
	}
	status := p.Wait()
	switch {
	case status.OK() && readErr == nil:
		return nil
	case ctx.Err() != nil:
		return &Error{Args: args, Code: status.Code, Stderr: status.Stderr, Err: ctx.Err()}
	case readErr != nil:
		return readErr
	}
	return &Error{Args: args, Code: status.Code, Stderr: status.Stderr, Err: status.Err}
}

func readLines(r io.Reader, each func(string) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 64<<10), maxLine)
	for lines.Scan() {
		if err := each(lines.Text()); err != nil {
			return err
		}
	}
	return lines.Err()
}
