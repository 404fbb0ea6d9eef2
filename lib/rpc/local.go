package rpc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"sync/atomic"

	"github.com/zrepl-tools/zrepl-tools/lib/child"
)

// Local calls the functions of this process's own server, without a
// connection. Values of the type that a function takes are handed over as
// they are; others go through JSON, as they would on a connection. Octets go
// through a pipe.
func Local(s *Server) Client { return &local{server: s} }

type local struct {
	server *Server
	closed atomic.Bool
}

func (l *local) Close() error { l.closed.Store(true); return nil }

// find returns the function that takes such a request, and its parameter.
func (l *local) find(name string, in any, request, reply body) (*handler, reflect.Value, error) {
	if l.closed.Load() {
		return nil, reflect.Value{}, ErrClosed
	}
	if l.server.wrong != nil {
		return nil, reflect.Value{}, l.server.wrong
	}
	h := l.server.handlers[name]
	if h == nil {
		return nil, reflect.Value{}, &RemoteError{CodeUnknownCall, fmt.Sprintf("there is no call %q", name)}
	}
	if request != h.requestBody() || reply != h.replyBody() {
		return nil, reflect.Value{}, &RemoteError{CodeBadRequest, fmt.Sprintf("call %q takes %s and replies with %s", name, h.requestBody(), h.replyBody())}
	}
	v := reflect.New(h.in.typ).Elem()
	if h.in.body == bodyNone {
		return h, v, nil
	}
	if err := assign(v, reflect.ValueOf(in), true); err != nil {
		return nil, v, &RemoteError{CodeBadRequest, (&badBody{err}).Error()}
	}
	return h, v, nil
}

// assign hands a value over.
func assign(to, from reflect.Value, strict bool) error {
	if from.Type().AssignableTo(to.Type()) {
		to.Set(from)
		return nil
	}
	if shapeOf(from.Type()).body == bodyJSONL {
		return fmt.Errorf("lines of %s are not lines of %s", from.Type(), to.Type())
	}
	data, err := json.Marshal(from.Interface())
	if err != nil {
		return err
	}
	return unmarshal(data, to.Addr().Interface(), strict)
}

// place is where the reply goes, and its shape.
func place(name string, out any) (reflect.Value, shape, error) {
	v := reflect.ValueOf(out)
	if !v.IsValid() {
		return v, shape{body: bodyNone}, nil
	}
	if v.Kind() != reflect.Pointer || v.IsNil() {
		return v, shape{}, fmt.Errorf("call %q: the reply goes to a pointer, not to %T", name, out)
	}
	return v.Elem(), shapeOf(v.Elem().Type()), nil
}

// call calls the function and puts its reply into place.
func (l *local) call(ctx context.Context, name string, in, out any, octets *Octets, sends bool) (Sender, error) {
	to, s, err := place(name, out)
	if err != nil {
		return nil, err
	}
	request := shape{body: bodyNone}
	if v := reflect.ValueOf(in); v.IsValid() {
		request = shapeOf(v.Type())
	}
	h, v, err := l.find(name, in, withOctets(request.body, octets != nil), withOctets(s.body, sends))
	if err != nil {
		return nil, err
	}
	reply, send, err := h.call(ctx, v, octets)
	if err != nil {
		return nil, err
	}
	if s.body == bodyNone {
		return send, nil
	}
	return send, assign(to, reply, false)
}

func (l *local) Call(ctx context.Context, name string, in, out any) error {
	_, err := l.call(ctx, name, in, out, nil, false)
	return err
}

func (l *local) CallReceive(ctx context.Context, name string, in, out any) (*os.File, func(bool) error, error) {
	ctx, cancel := context.WithCancel(ctx)
	send, err := l.call(ctx, name, in, out, nil, true)
	if err != nil {
		cancel()
		return nil, nil, err
	}
	r, w, err := child.Pipe()
	if err != nil {
		cancel()
		return nil, nil, err
	}
	ended := make(chan error, 1)
	go func() {
		err := send(ctx, w)
		ended <- errors.Join(err, w.Close())
	}()
	done := func(clean bool) error {
		if !clean {
			cancel()
		}
		r.Close()
		err := <-ended
		ended <- err
		cancel()
		return err
	}
	return r, done, nil
}

func (l *local) CallSend(ctx context.Context, name string, in any, send Sender, out any) error {
	r, w, err := child.Pipe()
	if err != nil {
		return err
	}
	sending, cancel := context.WithCancel(ctx)
	defer cancel()
	sent := make(chan error, 1)
	go func() {
		err := send(sending, w)
		sent <- errors.Join(err, w.Close())
	}()
	octets := &Octets{file: r}
	_, err = l.call(ctx, name, in, out, octets, false)
	r.Close()
	if err != nil || !octets.taken {
		cancel()
		sendErr := <-sent
		if err == nil {
			err = errors.Join(fmt.Errorf("call %q: its octets were not read", name), sendErr)
		}
		return err
	}
	return <-sent
}
