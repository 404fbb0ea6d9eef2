package rpc

import (
	"encoding/json"
	"fmt"
	"reflect"
	"sync"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/frame"
)

// chunk is how much is gathered before it is written, and the most that one
// of our data frames holds: a slow link gets a frame through in a short time.
const chunk = 64 << 10

// linger is how long lines are gathered when they come slowly.
const linger = time.Second

// outgoing writes a connection's messages, one after the other. It has a lock
// because a server's heartbeats come from another goroutine.
type outgoing struct {
	mu      sync.Mutex
	w       *wire
	limit   time.Duration
	fw      *frame.Writer
	head    []byte    // room for a header
	pending []byte    // frames not written yet
	lines   []byte    // of jsonl: not in a frame yet
	since   time.Time // when the first of them was added
	failed  error
}

func newOutgoing(w *wire, limits *Limits) *outgoing {
	o := &outgoing{w: w, limit: limits.Silence}
	o.fw = frame.NewWriter((*gather)(o), frame.CRC32C)
	return o
}

// begin turns to the next message.
func (o *outgoing) begin() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.fw.Again()
	o.pending, o.lines, o.failed = o.pending[:0], o.lines[:0], nil
}

// gather takes the writer's frames into pending.
type gather outgoing

func (g *gather) Write(p []byte) (int, error) {
	g.pending = append(g.pending, p...)
	if len(g.pending) < chunk {
		return len(p), nil
	}
	return len(p), (*outgoing)(g).flush()
}

func (o *outgoing) flush() error {
	if o.failed == nil && len(o.pending) > 0 {
		o.failed = o.w.write(o.pending, o.limit)
		o.pending = o.pending[:0]
	}
	return o.failed
}

// whole writes a message whose body, none or json, is at hand.
func (o *outgoing) whole(header, data []byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.fw.Header(header); err != nil {
		return err
	}
	for len(data) > 0 {
		n := min(len(data), chunk)
		if err := o.fw.Data(data[:n]); err != nil {
			return err
		}
		data = data[n:]
	}
	return o.end(okTrailer)
}

var okTrailer = frame.Trailer{Status: frame.StatusOK}

func (o *outgoing) end(t frame.Trailer) error {
	if err := o.fw.Trailer(t); err != nil {
		return err
	}
	return o.flush()
}

// alive sends what is pending, or a heartbeat where nothing is, unless that
// would have to wait.
func (o *outgoing) alive() {
	if !o.mu.TryLock() {
		return // it is being written just now
	}
	defer o.mu.Unlock()
	if o.failed != nil || !o.w.canWrite() {
		return
	}
	if len(o.lines) > 0 {
		if o.putLines() == nil {
			o.flush()
		}
		return
	}
	if o.fw.Heartbeat() == nil {
		o.flush()
	}
}

// putLines makes a frame of the lines so far.
func (o *outgoing) putLines() error {
	if len(o.lines) == 0 {
		return nil
	}
	err := o.fw.Data(o.lines)
	o.lines = o.lines[:0]
	return err
}

// stream writes a jsonl message. An error of the sequence ends the message
// with a trailer that says so, and is returned as a producerError; before the
// first line, refuse can say it instead.
func (o *outgoing) stream(header []byte, seq reflect.Value, limits *Limits, refuse func(error) error) error {
	var problem, produced error
	begun := false
	begin := func() error {
		if begun {
			return nil
		}
		begun = true
		return o.fw.Header(header)
	}
	each := func(args []reflect.Value) []reflect.Value {
		o.mu.Lock()
		defer o.mu.Unlock()
		if produced, _ = args[1].Interface().(error); produced == nil {
			problem = begin()
			if problem == nil {
				produced, problem = o.line(args[0], limits)
			}
		}
		return []reflect.Value{reflect.ValueOf(produced == nil && problem == nil)}
	}
	if !seq.IsNil() { // nil is an empty list
		seq.Call([]reflect.Value{reflect.MakeFunc(seq.Type().In(0), each)})
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case problem != nil:
		return problem
	case produced != nil && !begun && refuse != nil:
		return refuse(produced)
	}
	if err := begin(); err != nil {
		return err
	}
	trailer := okTrailer
	if produced != nil {
		r := remoteError(produced)
		trailer = frame.Trailer{Status: frame.StatusFailed, Reason: r.Code + ": " + r.Message}
	}
	if err := o.putLines(); err != nil {
		return err
	}
	if err := o.end(trailer); err != nil {
		return err
	}
	if produced != nil {
		return &producerError{produced}
	}
	return nil
}

// line adds one value. It tells errors of the value from those of the wire.
func (o *outgoing) line(v reflect.Value, limits *Limits) (produced, problem error) {
	text, err := json.Marshal(v.Interface())
	if err != nil {
		return err, nil
	}
	if len(text) > limits.Line {
		return fmt.Errorf("a line of %d bytes: at most %d", len(text), limits.Line), nil
	}
	if now := time.Now(); len(o.lines) == 0 {
		o.since = now
	} else if now.Sub(o.since) > linger {
		if problem = o.putLines(); problem == nil {
			problem = o.flush()
		}
		if problem != nil {
			return nil, problem
		}
		o.since = now
	}
	for rest := append(text, '\n'); len(rest) > 0; {
		n := min(len(rest), chunk-len(o.lines))
		o.lines = append(o.lines, rest[:n]...)
		rest = rest[n:]
		if len(o.lines) == chunk {
			if err := o.putLines(); err != nil {
				return nil, err
			}
		}
	}
	return nil, nil
}

// producerError is the error of a sequence of which the far side was told.
type producerError struct{ err error }

func (e *producerError) Error() string { return e.err.Error() }
func (e *producerError) Unwrap() error { return e.err }
