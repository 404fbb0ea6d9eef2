package rpc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"time"
)

// Server has the functions that can be called. The zero value has none.
type Server struct {
	Limits   Limits
	Greeting Greeting
	Trace    func(Event) // called once after each call, on the goroutine that served it; nil: nothing is measured

	handlers map[string]*handler
	wrong    error // of Handle
}

// Handle makes fn callable by a name of 1 to 64 letters, digits, dots, _ and
// -. The function is one of
//
//	func(ctx context.Context, in In) (Out, error)
//	func(ctx context.Context, in In, octets *rpc.Octets) (Out, error)
//	func(ctx context.Context, in In) (Out, rpc.Sender, error)
//	func(ctx context.Context, in In, octets *rpc.Octets) (Out, rpc.Sender, error)
//
// In and Out are struct{} for nothing, an iter.Seq2[T, error] for lines of
// JSON that are read or written one by one, and any other type for one JSON
// value. With *Octets a framed stream follows the request; the sender writes
// one behind the reply. ctx is cancelled when the caller hangs up.
//
// A function that can't be handled is reported by Serve.
func (s *Server) Handle(name string, fn any) {
	h, err := newHandler(name, fn)
	switch {
	case err != nil:
	case s.handlers[name] != nil:
		err = errors.New("handled twice")
	default:
		if s.handlers == nil {
			s.handlers = map[string]*handler{}
		}
		s.handlers[name] = h
		return
	}
	s.wrong = errors.Join(s.wrong, fmt.Errorf("cannot handle %q: %w", name, err))
}

// Serve serves one connection until the caller hangs up between two calls,
// which is no error, or until ctx is cancelled or something is wrong. It
// reads in and writes out, closes neither, and leaves both as they are.
func (s *Server) Serve(ctx context.Context, in, out *os.File) error {
	if s.wrong != nil {
		return s.wrong
	}
	w, err := newWire(in, out)
	if err != nil {
		return err
	}
	defer w.release()
	defer w.during(ctx)()
	c := &session{server: s, w: w, limits: s.Limits.withDefaults()}
	c.in, c.out = newIncoming(w, &c.limits, true), newOutgoing(w, &c.limits)
	c.attend.init(&c.limits, w)
	defer c.attend.close()
	c.await(s.Greeting.withDefaults())
	for {
		if err := c.call(ctx); err != nil {
			if err == io.EOF {
				err = nil
			}
			return c.farewell(err)
		}
	}
}

// await begins with the limits for one who has not greeted.
func (c *session) await(g Greeting) {
	if g.Call == "" {
		return
	}
	c.stranger, c.in.most = g.Call, g.JSON
	c.w.deadline = time.Now().Add(g.Within)
	c.w.until = TimeoutError{Doing: fmt.Sprintf("no %q came", g.Call), Limit: g.Within}
}

// greeted ends that.
func (c *session) greeted(call string) {
	if call == c.stranger {
		c.stranger, c.in.most, c.w.deadline = "", c.limits.JSON, time.Time{}
	}
}

// farewell tells the client, if it has room for that, of the limit that ends
// its connection: the connection would only be gone otherwise. A client reads
// it as the reply to its next request.
func (c *session) farewell(err error) error {
	if told := limitReached(err); told != nil && !c.replying && c.w.canWrite() {
		c.out.begin()
		c.replyError(c.out, told)
	}
	return err
}

// session is one connection of a server.
type session struct {
	server *Server
	w      *wire
	limits Limits
	in     *incoming
	out    *outgoing
	attend attendant

	stranger string // the call that must come first; empty once it has
	replying bool   // a reply was begun that is not finished
}

// call serves one call. io.EOF is the proper end.
func (c *session) call(ctx context.Context) error {
	received, sent := c.w.received, c.w.sent
	m := c.in
	m.begin()
	header, err := m.header()
	if err != nil {
		return err
	}
	request, err := parseRequest(header)
	if err != nil {
		return &ProtocolError{Err: err}
	}
	trace := c.server.Trace
	if trace == nil {
		return c.serve(ctx, request, m)
	}
	began := time.Now()
	err = c.serve(ctx, request, m)
	trace(Event{Server: true, Call: request.call, Start: began, Duration: time.Since(began),
		Received: c.w.received - received, Sent: c.w.sent - sent, Err: err})
	return err
}

// serve finds the function for a request and lets it answer.
func (c *session) serve(ctx context.Context, request requestHeader, m *incoming) error {
	h := c.server.handlers[request.call]
	var refusal *RemoteError
	switch {
	case c.stranger != "" && request.call != c.stranger:
		refusal = &RemoteError{CodeBadRequest, fmt.Sprintf("the first call must be %q", c.stranger)}
	case h == nil:
		refusal = &RemoteError{CodeUnknownCall, fmt.Sprintf("there is no call %q", request.call)}
	case request.body != h.requestBody():
		refusal = &RemoteError{CodeBadRequest, fmt.Sprintf("call %q takes a body of %s, not %s", h.name, h.requestBody(), request.body)}
	case request.accept != h.replyBody():
		refusal = &RemoteError{CodeBadRequest, fmt.Sprintf("call %q replies with %s, not %s", h.name, h.replyBody(), request.accept)}
	}
	if refusal != nil {
		return c.refuse(request, m, refusal)
	}
	in, err := c.input(h, m)
	if err != nil {
		var bad *badBody
		if errors.As(err, &bad) {
			return c.refuse(request, m, &RemoteError{CodeBadRequest, bad.Error()})
		}
		return err
	}
	return c.answer(ctx, h, m, in)
}

// refuse replies with an error to a request that no function sees. A body of
// bounded length is read, so that the connection can go on.
func (c *session) refuse(request requestHeader, m *incoming, refusal *RemoteError) error {
	goesOn := request.body == bodyNone || request.body == bodyJSON
	if goesOn {
		if err := m.skip(); err != nil {
			return err
		}
	}
	c.out.begin()
	if err := c.replyError(c.out, refusal); err != nil {
		return err
	}
	if !goesOn {
		return refusal
	}
	return nil
}

// header is a good reply's.
func (c *session) header(b body) []byte {
	c.out.head = replyHeader{body: b}.append(c.out.head[:0])
	return c.out.head
}

func (c *session) replyError(o *outgoing, err error) error {
	r := remoteError(err)
	return o.whole(replyHeader{body: bodyNone, code: r.Code, message: r.Message}.append(nil), nil)
}

// input reads the function's parameter; of lines, it makes the sequence that
// reads them.
func (c *session) input(h *handler, m *incoming) (reflect.Value, error) {
	switch h.in.body {
	case bodyNone:
		return reflect.Zero(h.in.typ), m.none()
	case bodyJSONL:
		return m.sequence(h.in, func(error) {}), nil
	}
	in := reflect.New(h.in.typ)
	if err := m.json(in.Interface()); err != nil {
		return in, err
	}
	return in.Elem(), nil
}

// answer calls the function and replies. It returns an error where the
// connection cannot go on.
func (c *session) answer(ctx context.Context, h *handler, m *incoming, in reflect.Value) (done error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	o := c.out
	o.begin()
	c.replying = true
	defer func() { c.replying = done != nil }()
	c.attend.begin(o, cancel)
	defer c.attend.end()
	var octets *Octets
	if h.octets {
		octets = &Octets{file: c.w.inFile}
	}
	out, send, err := h.call(ctx, in, octets)
	if err == nil && h.out.body == bodyJSONL {
		return c.replyLines(h, o, out, m, octets)
	}
	c.attend.quiet()
	var data []byte
	if err == nil && h.out.body == bodyJSON {
		data, err = json.Marshal(out.Interface())
	}
	if err != nil {
		if problem := c.replyError(o, err); problem != nil {
			return problem
		}
		return c.rest(h, m, octets, err)
	}
	if err := o.whole(c.header(h.replyBody()), data); err != nil {
		return err
	}
	c.greeted(h.name)
	if send != nil {
		if err := send(ctx, c.w.outFile); err != nil {
			return fmt.Errorf("call %q: cannot send: %w", h.name, err)
		}
	}
	return c.rest(h, m, octets, nil)
}

func (c *session) replyLines(h *handler, o *outgoing, out reflect.Value, m *incoming, octets *Octets) error {
	var refused error
	err := o.stream(c.header(bodyJSONL), out, &c.limits, func(err error) error {
		refused = err
		r := remoteError(err)
		if err := o.fw.Header(replyHeader{body: bodyNone, code: r.Code, message: r.Message}.append(nil)); err != nil {
			return err
		}
		return o.end(okTrailer)
	})
	var produced *producerError
	if err != nil && !errors.As(err, &produced) {
		return err
	}
	if refused == nil && produced != nil {
		refused = produced
	}
	return c.rest(h, m, octets, refused)
}

// rest looks whether the request was read to its end, by a function that
// ended with err. If not, the connection ends behind the reply.
func (c *session) rest(h *handler, m *incoming, octets *Octets, err error) error {
	switch {
	case octets != nil && err != nil:
		return fmt.Errorf("call %q: %w", h.name, err)
	case octets != nil && !octets.taken:
		return fmt.Errorf("call %q: its octets were not read", h.name)
	case m.fault != nil:
		return m.fault
	case !m.ended:
		return fmt.Errorf("call %q: its request was not read to the end", h.name)
	}
	return nil
}
