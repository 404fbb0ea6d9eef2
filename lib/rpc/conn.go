package rpc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Conn is the calling end of a connection.
type Conn struct {
	Limits Limits      // set before the first call
	Trace  func(Event) // called once after each call; nil: nothing is measured
	// EndShell, set before the first call, has that call end a shell that
	// answers in a server's place; see ShellMarks.
	EndShell bool

	w      *wire
	limits Limits
	in     *incoming
	out    *outgoing
	turn   chan struct{} // holds a token while a call is made
	used   bool
	broken error // under turn: why no more calls can be made
	closed atomic.Bool
	over   chan struct{} // closed by Close
	lent   atomic.Bool   // the caller has what belongs to a call: octets or lines
}

var _ Client = (*Conn)(nil)

// NewConn makes calls over in and out. They stay the caller's, who closes
// them after Close, and are left as they are.
func NewConn(in, out *os.File) (*Conn, error) {
	w, err := newWire(in, out)
	if err != nil {
		return nil, err
	}
	return &Conn{w: w, turn: make(chan struct{}, 1), over: make(chan struct{})}, nil
}

// Close ends the connection, and a call that is being made with ErrClosed. It
// waits for that, but not for a caller who has still octets or lines to read.
func (c *Conn) Close() error {
	if c.closed.Swap(true) {
		return nil
	}
	close(c.over)
	c.w.interrupt(ErrClosed)
	end := func() {
		c.turn <- struct{}{} // for ever
		c.w.release()
	}
	if c.lent.Load() {
		go end()
	} else {
		end()
	}
	return nil
}

// exchange is one call on its way.
type exchange struct {
	c     *Conn
	stop  func() bool   // of the context's watch
	out   reflect.Value // where the reply goes; zero for nowhere
	shape shape         // of the reply
	event Event
}

// begin waits for the connection to be free and takes it.
func (c *Conn) begin(ctx context.Context, name string, out any) (*exchange, error) {
	if !validName(name) {
		return nil, fmt.Errorf("illegal name of a call %q", name)
	}
	x := &exchange{c: c}
	var err error
	if x.out, x.shape, err = place(name, out); err != nil {
		return nil, err
	}
	if c.closed.Load() {
		return nil, ErrClosed
	}
	select {
	case c.turn <- struct{}{}:
	case <-c.over:
		return nil, ErrClosed
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if !c.used {
		c.used, c.limits = true, c.Limits.withDefaults()
		c.in, c.out = newIncoming(c.w, &c.limits, false), newOutgoing(c.w, &c.limits)
	}
	if c.broken != nil {
		<-c.turn
		return nil, c.broken
	}
	if c.Trace != nil {
		x.event = Event{Call: name, Start: time.Now(), Received: c.w.received, Sent: c.w.sent}
	}
	x.stop = c.w.during(ctx)
	c.in.begin()
	c.out.begin()
	return x, nil
}

// end gives the connection free. fatal says that it cannot go on.
func (x *exchange) end(err error, fatal bool) error {
	c := x.c
	c.lent.Store(false)
	if !x.stop() || c.w.interrupted() != nil || fatal {
		c.broken = ErrClosed
	}
	if trace := c.Trace; trace != nil {
		e := x.event
		e.Duration, e.Err = time.Since(e.Start), err
		e.Received, e.Sent = c.w.received-e.Received, c.w.sent-e.Sent
		trace(e)
	}
	<-c.turn
	return err
}

// settle ends a call. An error that the far side replied with does no harm to
// the connection, unless something was left unread or unsent.
func (x *exchange) settle(err error, left bool) error {
	var remote *RemoteError
	fatal := err != nil && (!errors.As(err, &remote) || remote.Code == CodeLimit || remote.Code == CodeTimeout)
	return x.end(err, left || fatal)
}

// Quiet reports whether nothing has come since the last call ended, so that
// the far side has not hung up, as far as is known.
func (c *Conn) Quiet() bool {
	select {
	case c.turn <- struct{}{}:
	default:
		return false
	}
	defer func() { <-c.turn }()
	if c.closed.Load() || c.broken != nil {
		return false
	}
	fds := [1]unix.PollFd{{Fd: int32(c.w.in()), Events: unix.POLLIN}}
	n, err := unix.Poll(fds[:], 0)
	return err == nil && n == 0
}

// Call makes a call without octets; see Client.
func (c *Conn) Call(ctx context.Context, name string, in, out any) error {
	x, err := c.begin(ctx, name, out)
	if err != nil {
		return err
	}
	lines, err := x.request(name, in, false, false)
	if err != nil && err != errReply {
		return x.settle(err, false)
	}
	early := err == errReply
	err = x.reply(x.shape.body)
	if err == nil && early {
		err = errEarly
	}
	if err != nil {
		return x.settle(err, early || lines)
	}
	if x.shape.body != bodyJSONL {
		return x.settle(x.value(), false)
	}
	c.lent.Store(true)
	x.out.Set(x.c.in.sequence(x.shape, func(err error) {
		x.settle(err, !x.c.in.ended)
	}))
	return nil
}

// errEarly: only a refusal can come before all of a request was sent.
var errEarly = &ProtocolError{Err: errors.New("a reply before the end of the request")}

// request sends the request. It returns errReply where the far side replied
// before it was all sent. lines says that the body was a sequence.
func (x *exchange) request(name string, in any, octetsOut, octetsIn bool) (lines bool, err error) {
	v := reflect.ValueOf(in)
	s := shape{body: bodyNone}
	if v.IsValid() {
		s = shapeOf(v.Type())
	}
	w, limits, o := x.c.w, &x.c.limits, x.c.out
	header := requestHeader{call: name, body: withOctets(s.body, octetsOut), accept: withOctets(x.shape.body, octetsIn),
		shell: x.c.EndShell && x.c.in.number == 1}.append(o.head[:0])
	o.head = header
	w.earlyReply = true
	defer func() { w.earlyReply = false }()
	before := w.sent
	defer func() { x.c.in.asked = w.sent - before }()
	switch s.body {
	case bodyNone:
		err = o.whole(header, nil)
	case bodyJSONL:
		if octetsOut {
			return true, errors.New("lines and octets in one message")
		}
		lines, err = true, o.stream(header, v, limits, nil)
	default:
		var data []byte
		if data, err = json.Marshal(in); err == nil {
			err = o.whole(header, data)
		}
	}
	if err == ErrHungUp { // perhaps not without a word
		err = errReply
	}
	return lines, err
}

// reply reads the reply up to its body. The far side's error is returned with
// its message read to the end.
func (x *exchange) reply(want body) error {
	header, err := x.c.in.header()
	if err == io.EOF {
		if text := x.c.w.words(); text != "" {
			return &ProtocolError{Err: ErrHungUp, Text: text}
		}
		return ErrHungUp
	}
	if err != nil {
		return err
	}
	h, err := parseReply(header)
	switch {
	case err != nil:
		return &ProtocolError{Err: err}
	case h.code != "":
		if err := x.c.in.none(); err != nil {
			return err
		}
		return &RemoteError{Code: h.code, Message: h.message}
	case h.body != want:
		return &ProtocolError{Err: fmt.Errorf("a reply of %s instead of %s", h.body, want)}
	}
	return nil
}

// value reads the body, none or json, into its place. A body that does not
// fit there is an error as fatal as any of the protocol.
func (x *exchange) value() error {
	if x.shape.body == bodyNone {
		return x.c.in.none()
	}
	return x.c.in.json(x.out.Addr().Interface())
}
