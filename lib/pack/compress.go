package pack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/child"
	"github.com/zrepl-tools/zrepl-tools/lib/clean"
	"github.com/zrepl-tools/zrepl-tools/lib/frame"
)

// Plain is a stream that is to be compressed.
type Plain struct {
	In      *os.File      // pollable if there is a command
	Command frame.Command // whose stdout In is; nil if In is anything else
	Inspect frame.Inspect // looks at the beginning before any of it is compressed; may be nil
	Moved   *atomic.Uint64
	Group   bool // zstd(1) gets a process group other than ours
}

// Compressor is a zstd(1) together with the command whose output it
// compresses: both as one frame.Command.
type Compressor struct {
	Plain
	zstd    *child.Process
	into    *os.File
	out     *os.File
	judged  chan struct{} // closed when the beginning was looked at
	refusal error
	failure error       // of reading
	fed     atomic.Bool // zstd has all that it gets
	early   atomic.Bool // zstd has ended before that
	fedAll  chan struct{}
	done    chan struct{}
}

// heldGrace is how long the output of a command that has ended may be silent
// without ending, which only something the command started can cause.
const heldGrace = 2 * time.Second

// Compress starts to compress.
func Compress(ctx context.Context, m Method, p Plain) (*Compressor, error) {
	read, into, err := child.Pipe()
	if err != nil {
		return nil, err
	}
	defer read.Close()
	out, write, err := child.Pipe()
	if err != nil {
		into.Close()
		return nil, err
	}
	defer write.Close()
	zstd, err := child.Start(context.WithoutCancel(ctx), child.Cmd{Args: m.compress(), Stdin: read, Stdout: write, Stderr: &child.Tail{}, Group: p.Group, Alone: true})
	if err != nil {
		into.Close()
		out.Close()
		return nil, err
	}
	c := &Compressor{Plain: p, zstd: zstd, into: into, out: out, judged: make(chan struct{}), fedAll: make(chan struct{}), done: make(chan struct{})}
	go c.feed()
	go c.await()
	return c, nil
}

// Into has o send what is compressed. Its In, Command, Inspect and Moved were
// those of the plain stream.
func (c *Compressor) Into(o *frame.SendOptions, linked *atomic.Uint64) {
	o.In, o.Command, o.Moved, o.Pack, o.Fault = c.out, c, linked, Zstd, c.fault
	if o.Inspect != nil {
		o.Inspect = c.verdict
	}
}

// Close ends zstd, and waits for its end. The command must have ended or be
// killed: it is not killed here, because others may share its process group.
func (c *Compressor) Close() {
	c.zstd.Kill()
	<-c.zstd.Done()
	if c.Command != nil { // otherwise who reads our stdin may be stuck
		<-c.fedAll
	}
	c.zstd.Wait()
	c.out.Close()
}

// feed gives zstd the plain stream.
func (c *Compressor) feed() {
	defer close(c.fedAll)
	err := c.copy()
	if err == errEnded {
		if c.Command != nil { // nobody takes what it writes
			c.Command.Kill()
		}
		c.into.Close()
		return
	}
	if c.refusal == nil {
		c.failure = err
	}
	if err != nil && c.Command != nil { // what it left running is not waited for
		c.Command.Kill()
	}
	c.fed.Store(true)
	c.into.Close()
}

// errEnded says that zstd has ended, and did not read all.
var errEnded = errors.New("zstd ended before the stream did")

// copy copies the stream.
func (c *Compressor) copy() error {
	buf := make([]byte, 256<<10)
	begin, err := c.inspect()
	close(c.judged)
	if err != nil {
		return err
	}
	for {
		if len(begin) > 0 {
			if _, err := c.into.Write(begin); err != nil {
				return errEnded
			}
			c.Moved.Add(uint64(len(begin)))
		}
		n, err := c.read(buf)
		if begin = buf[:n]; n > 0 {
			continue
		}
		if err == io.EOF {
			return nil
		}
		return err
	}
}

// inspect reads the beginning until it was accepted.
func (c *Compressor) inspect() (held []byte, err error) {
	for c.Plain.Inspect != nil {
		need, err := c.Plain.Inspect(held)
		if err == nil && need > frame.MaxInspect {
			err = errors.New("more is to be looked at than may be held back")
		}
		if err != nil {
			c.refusal = err
			return nil, err
		}
		if need <= len(held) {
			break
		}
		buf := make([]byte, need-len(held))
		n, err := c.read(buf)
		held = append(held, buf[:n]...)
		switch {
		case err == io.EOF && !c.failed():
			c.refusal = errors.New("it ends before all was seen that is to be looked at")
			return nil, c.refusal
		case err == io.EOF: // the command says why
			return nil, nil
		case err != nil:
			return nil, err
		}
	}
	return held, nil
}

// failed waits for the end of a command, and reports whether it failed.
func (c *Compressor) failed() bool {
	if c.Command == nil {
		return false
	}
	<-c.Command.Done()
	code, _ := c.Command.Exited()
	return code != 0
}

// read reads what is there. At the end the error is io.EOF.
func (c *Compressor) read(b []byte) (int, error) {
	if c.Command != nil {
		if _, ended := c.Command.Exited(); ended {
			c.In.SetReadDeadline(time.Now().Add(heldGrace))
		}
	}
	n, err := c.In.Read(b)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return n, frame.ErrHeldOpen
	case err != nil && err != io.EOF:
		return n, fmt.Errorf("cannot read: %w", err)
	}
	return n, err
}

// await waits until both have ended.
func (c *Compressor) await() {
	defer close(c.done)
	if c.Command == nil {
		<-c.zstd.Done()
		return
	}
	for command, zstd := c.Command.Done(), c.zstd.Done(); command != nil || zstd != nil; {
		select {
		case <-command:
			command = nil
			c.In.SetReadDeadline(time.Now().Add(heldGrace)) // if nothing comes, not even the end
		case <-zstd:
			zstd = nil
			if !c.fed.Load() {
				c.early.Store(true) // first: the end of what is killed is no end of the data
				c.Command.Kill()
			}
		}
	}
}

// verdict is what became of the inspection, for frame.Send, which sees nothing
// but compressed data.
func (c *Compressor) verdict(beginning []byte) (int, error) {
	select {
	case <-c.judged:
		return 0, c.refusal
	default:
		return len(beginning) + 1, nil
	}
}

func failedWith(code int, said string) error {
	if said = clean.Line(said, 500); said != "" {
		said = ": " + said
	}
	return fmt.Errorf("zstd failed with exit status %d%s", code, said)
}

// fault is what failed besides the command.
func (c *Compressor) fault() error {
	code, signal, said := c.zstd.Result()
	switch {
	case signal != "":
		return fmt.Errorf("zstd was killed by %s", signal)
	case code != 0:
		return failedWith(code, said)
	case c.early.Load(), !c.fed.Load():
		return errEnded
	}
	<-c.fedAll
	return c.failure
}

// Done is closed when both have ended.
func (c *Compressor) Done() <-chan struct{} { return c.done }

// Exited is the command's, once both have ended.
func (c *Compressor) Exited() (code int, ended bool) {
	select {
	case <-c.done:
		code, _, _ = c.Result()
		return code, true
	default:
		return 0, false
	}
}

// Result is the command's. What failed in zstd is said by fault.
func (c *Compressor) Result() (code int, signal, stderr string) {
	if c.Command == nil {
		return 0, "", ""
	}
	return c.Command.Result()
}

// Kill kills both.
func (c *Compressor) Kill() {
	if c.Command != nil {
		c.Command.Kill()
	}
	c.zstd.Kill()
}

// Finish has nothing to do: what zstd reads is not from the caller.
func (c *Compressor) Finish() {}
