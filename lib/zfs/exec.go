package zfs

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/child"
)

const (
	maxLine   = 64 << 20 // of output; a snapshot's clones can make a long one
	maxOutput = 1 << 20  // of a command whose output is kept
	maxStderr = 1 << 20  // kept of what a command says
	pipeGrace = 500 * time.Millisecond
)

// lines is rawLines with lines that each may keep.
func (z *ZFS) lines(ctx context.Context, args []string, each func(line string) error) error {
	return z.rawLines(ctx, args, func(line []byte) error { return each(string(line)) })
}

// rawLines runs zfs with args and calls each with every line of its output as it
// comes; the line is overwritten by the next one. An error of each ends the command and is returned as it is; the
// command's own failure is an *Error, also when it comes behind good output.
func (z *ZFS) rawLines(ctx context.Context, args []string, each func(line []byte) error) error {
	if z.Ran != nil {
		z.Ran(args)
	}
	r, w, err := child.PollablePipe()
	if err != nil {
		return &Error{Args: args, Code: 1, Err: err}
	}
	defer r.Close()
	said := &child.Tail{Max: maxStderr}
	p, err := child.Start(ctx, child.Cmd{
		Args: append([]string{z.Path}, args...),
		// Messages are matched, so they must be in English.
		Env:    append(os.Environ(), "LC_ALL=C"),
		Stdout: w,
		Stderr: said,
	})
	w.Close()
	if err != nil {
		return &Error{Args: args, Code: 1, Err: err}
	}
	stop := context.AfterFunc(ctx, func() { // who keeps the pipe open then, holds up nobody
		<-p.Done()
		time.Sleep(pipeGrace)
		r.Close()
	})
	defer stop()
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
	case errors.Is(readErr, bufio.ErrTooLong):
		return &Error{Args: args, Code: 1, Err: fmt.Errorf("a line of more than %d bytes", maxLine)}
	case readErr != nil:
		return readErr
	}
	return &Error{Args: args, Code: status.Code, Stderr: status.Stderr, Err: status.Err, cut: said.Cut()}
}

func readLines(r io.Reader, each func([]byte) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 256<<10), maxLine)
	for lines.Scan() {
		if err := each(lines.Bytes()); err != nil {
			return err
		}
	}
	return lines.Err()
}
