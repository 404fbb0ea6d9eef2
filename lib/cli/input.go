package cli

import (
	"context"
	"io"
)

// Input reads from r until ctx is done, whose cause is then the error, so that
// a signal also ends a program that waits for its input. What r gives after
// that is lost, and a Read of r that does not return stays behind: it is for
// programs that end then.
func Input(ctx context.Context, r io.Reader) io.Reader {
	return &input{ctx: ctx, r: r, buf: make([]byte, 64<<10), turn: make(chan struct{}), got: make(chan result)}
}

type input struct {
	ctx     context.Context
	r       io.Reader
	buf     []byte
	rest    []byte
	err     error
	started bool
	turn    chan struct{} // lets the reading goroutine fill buf again
	got     chan result
}

type result struct {
	n   int
	err error
}

func (i *input) Read(p []byte) (int, error) {
	if len(i.rest) == 0 && i.err == nil {
		i.fill()
	}
	n := copy(p, i.rest)
	i.rest = i.rest[n:]
	if n > 0 {
		return n, nil
	}
	return 0, i.err
}

// fill waits for the next bytes of r.
func (i *input) fill() {
	if !i.started {
		i.started = true
		go i.pump()
	}
	select {
	case i.turn <- struct{}{}:
	case <-i.ctx.Done():
		i.err = context.Cause(i.ctx)
		return
	}
	select {
	case g := <-i.got:
		i.rest, i.err = i.buf[:g.n], g.err
	case <-i.ctx.Done():
		i.err = context.Cause(i.ctx)
	}
}

func (i *input) pump() {
	for {
		select {
		case <-i.turn:
		case <-i.ctx.Done():
			return
		}
		n, err := i.r.Read(i.buf)
		select {
		case i.got <- result{n, err}:
		case <-i.ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}
