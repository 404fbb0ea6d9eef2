package rpc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
)

// Octets is the framed stream behind a request: see Server.Handle.
type Octets struct {
	file  *os.File
	taken bool
}

// File is the descriptor to read the stream from, exactly at its start. It
// belongs to the connection and is not to be closed. A handler that has
// called it and returns without an error has read the stream to just behind
// its trailer; in every other case the connection is closed after the reply.
func (o *Octets) File() *os.File {
	o.taken = true
	return o.file
}

// shape is how a type travels.
type shape struct {
	body body         // none, json or jsonl
	typ  reflect.Type // the Go type; nil for nothing
	elem reflect.Type // of jsonl: what a line is
}

var (
	errorType   = reflect.TypeFor[error]()
	contextType = reflect.TypeFor[context.Context]()
	octetsType  = reflect.TypeFor[*Octets]()
	senderType  = reflect.TypeFor[Sender]()
)

func shapeOf(t reflect.Type) shape {
	switch {
	case t == nil || t.Kind() == reflect.Struct && t.NumField() == 0:
		return shape{body: bodyNone, typ: t}
	case t.CanSeq2() && t.Kind() == reflect.Func && t.In(0).In(1) == errorType:
		return shape{body: bodyJSONL, typ: t, elem: t.In(0).In(0)}
	}
	return shape{body: bodyJSON, typ: t}
}

// travels refuses types that JSON has nothing for.
func (s shape) travels() error {
	t := s.typ
	if s.body == bodyJSONL {
		t = s.elem
	}
	if t == nil {
		return nil
	}
	switch t.Kind() {
	case reflect.Func, reflect.Chan, reflect.UnsafePointer:
		return fmt.Errorf("a %s can't be sent", t)
	}
	return nil
}

// handler is a registered function.
type handler struct {
	name    string
	fn      reflect.Value
	in, out shape
	octets  bool // the request is followed by a stream
	sender  bool // the reply is
}

func newHandler(name string, fn any) (*handler, error) {
	t := reflect.TypeOf(fn)
	h := &handler{name: name, fn: reflect.ValueOf(fn)}
	if !validName(name) {
		return nil, errors.New("illegal name")
	}
	if t == nil || t.Kind() != reflect.Func || t.IsVariadic() || h.fn.IsNil() {
		return nil, fmt.Errorf("%v is no function", t)
	}
	switch {
	case t.NumIn() == 3 && t.In(2) == octetsType:
		h.octets = true
	case t.NumIn() != 2:
		return nil, fmt.Errorf("%v: parameters are a context, the request, and *rpc.Octets where octets follow", t)
	}
	switch {
	case t.NumOut() == 3 && t.Out(1) == senderType:
		h.sender = true
	case t.NumOut() != 2:
		return nil, fmt.Errorf("%v: results are the reply, an rpc.Sender where octets follow, and an error", t)
	}
	if t.In(0) != contextType || t.Out(t.NumOut()-1) != errorType {
		return nil, fmt.Errorf("%v: the first parameter is a context, the last result an error", t)
	}
	h.in, h.out = shapeOf(t.In(1)), shapeOf(t.Out(0))
	if h.octets && h.in.body == bodyJSONL || h.sender && h.out.body == bodyJSONL {
		return nil, fmt.Errorf("%v: lines and octets in one message", t)
	}
	return h, errors.Join(h.in.travels(), h.out.travels())
}

func (h *handler) requestBody() body { return withOctets(h.in.body, h.octets) }
func (h *handler) replyBody() body   { return withOctets(h.out.body, h.sender) }

func withOctets(b body, octets bool) body {
	if octets {
		return bodyOctets
	}
	return b
}

// call calls the function.
func (h *handler) call(ctx context.Context, in reflect.Value, octets *Octets) (out reflect.Value, send Sender, err error) {
	args := []reflect.Value{reflect.ValueOf(ctx), in}
	if h.octets {
		args = append(args, reflect.ValueOf(octets))
	}
	results := h.fn.Call(args)
	err, _ = results[len(results)-1].Interface().(error)
	if h.sender {
		send, _ = results[1].Interface().(Sender)
		if send == nil && err == nil {
			err = errors.New("the handler returned no sender")
		}
	}
	return results[0], send, err
}
