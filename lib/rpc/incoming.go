package rpc

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/zrepl-tools/zrepl-tools/lib/child"
	"github.com/zrepl-tools/zrepl-tools/lib/frame"
)

// incoming reads a connection's messages, one after the other.
type incoming struct {
	w       *wire
	limits  *Limits
	request bool // which is strict: unknown keys are errors
	fr      *frame.Reader
	buf     []byte // of a json body
	number  int    // of the message
	most    int    // bytes of a json body
	began   time.Time
	patient bool  // the reply may take as long as the octets of its request
	read    int   // bytes of data
	asked   int64 // bytes of the request that it is the reply to
	ended   bool  // its trailer was read
	fault   error // of lines: why the connection cannot go on
}

func newIncoming(w *wire, limits *Limits, request bool) *incoming {
	m := &incoming{w: w, limits: limits, request: request, most: limits.JSON, fr: frame.NewReader(w)}
	m.fr.ReadAhead()
	return m
}

// begin turns to the next message.
func (m *incoming) begin() {
	m.fr.Again()
	m.number++
	m.ended, m.fault, m.w.more = false, nil, false
	m.began, m.read, m.asked, m.patient = time.Now(), 0, 0, false
}

// header reads to the end of the message's header. Before a reply's there may
// be heartbeats; a request begins with its own, so that its limit is one of
// time. The end of input before the message's first byte is io.EOF.
func (m *incoming) header() ([]byte, error) {
	for first := true; ; first = false {
		silence, err := m.limits.Idle, error(nil)
		if !m.request {
			silence, err = m.patience()
		}
		if err != nil {
			return nil, err
		}
		m.w.expect(silence, m.limits.Start)
		f, err := m.fr.Next()
		switch {
		case err == io.EOF && first:
			return nil, io.EOF
		case err != nil:
			return nil, m.idle(m.w.broken(err))
		case f.Type == frame.TypeHeader:
			if m.request {
				m.began = time.Now()
			}
			return f.Payload, nil
		case m.request:
			return nil, errHeartbeat
		}
	}
}

// idle gives a wait for a request that ran out its name.
func (m *incoming) idle(err error) error {
	var timeout *TimeoutError
	if m.request && errors.As(err, &timeout) && timeout != &m.w.until && !m.w.inFrame {
		return &TimeoutError{Doing: "no request came", Limit: timeout.Limit}
	}
	return err
}

// errHeartbeat: a client that has nothing to say yet must not begin a request;
// heartbeats would keep the connection for ever.
var errHeartbeat = &ProtocolError{Err: errors.New("a heartbeat in a request")}

// next returns the data of the next data frame, or io.EOF behind a good
// trailer. The data is valid until the next call.
func (m *incoming) next() ([]byte, error) {
	for !m.ended {
		silence, err := m.patience()
		if err != nil {
			return nil, err
		}
		m.w.expect(silence, m.limits.Start)
		f, err := m.fr.Next()
		switch {
		case err != nil:
			return nil, m.w.broken(err)
		case f.Type == frame.TypeData:
			m.read += len(f.Payload)
			return f.Payload, nil
		case f.Type == frame.TypeHeartbeat && m.request:
			return nil, errHeartbeat
		case f.Type == frame.TypeTrailer:
			m.ended = true
			m.w.head = nil // somebody who speaks the protocol
			if f.Trailer.Status != frame.StatusOK {
				return nil, parseReason(f.Trailer.Reason)
			}
		}
	}
	return nil, io.EOF
}

// askRate is how many bytes of a request make its reply take a second longer:
// a request that names 10,000 snapshots has each of them held, and each hold
// waits for the disk.
const askRate = 256

// patience is how long the next frame may let us wait. A message that comes
// frame by frame, or a reply of which only heartbeats come, could otherwise
// take for ever.
func (m *incoming) patience() (time.Duration, error) {
	most, doing := m.limits.Slowest, "%d bytes of a request came"
	if !m.request {
		most, doing = m.limits.Reply, "%d bytes of a reply came"
	}
	if most == 0 || m.patient {
		return m.limits.Silence, nil
	}
	limit := most + time.Duration(m.read)*time.Second/minRate + time.Duration(m.asked)*time.Second/askRate
	left := limit - time.Since(m.began)
	if left <= 0 {
		return 0, &TimeoutError{Doing: fmt.Sprintf(doing, m.read), Limit: limit.Round(time.Millisecond)}
	}
	return min(left, m.limits.Silence), nil
}

// parseReason reads what outgoing.stream wrote.
func parseReason(reason string) error {
	code, message, found := strings.Cut(reason, ": ")
	if !found || !validCode(code) {
		code, message = CodeFailed, reason
	}
	return &RemoteError{Code: code, Message: child.Clean(message, maxMessage)}
}

// broken gives an error of the frames its name. All but a reader's own are
// the far side's fault.
func (w *wire) broken(err error) error {
	var bad *frame.FormatError
	switch {
	case errors.As(err, &bad):
		return &ProtocolError{Err: bad, Text: w.words()}
	case errors.Is(err, frame.ErrCut):
		if text := w.words(); text != "" {
			return &ProtocolError{Err: err, Text: text}
		}
		return ErrHungUp
	case errors.Is(err, frame.ErrReset):
		return &ProtocolError{Err: err}
	}
	return hangUp(err)
}

// none reads a message without a body to its end.
func (m *incoming) none() error {
	_, err := m.next()
	switch {
	case err == io.EOF:
		return nil
	case err != nil:
		return err
	}
	return &ProtocolError{Err: errors.New("data in a body that must be empty")}
}

// skip reads a body that nobody wants, within the limit of a json one.
func (m *incoming) skip() error {
	for n := 0; ; {
		data, err := m.next()
		var failed *RemoteError
		switch {
		case err == io.EOF || errors.As(err, &failed):
			return nil
		case err != nil:
			return err
		}
		if n += len(data); n > m.most {
			return &ProtocolError{Err: tooLong("a body", m.most, "bytes")}
		}
	}
}

// json reads a json body into the value that to points to. A body that is no
// such value is a *badBody, and read to its end.
func (m *incoming) json(to any) error {
	data, err := m.join(newScale(reflect.TypeOf(to).Elem(), m.limits.Decoded))
	if err != nil {
		return err
	}
	if err := unmarshal(data, to, m.request); err != nil {
		return &badBody{err}
	}
	return nil
}

// join reads to the end of the message and returns all of its data, which is
// valid until the next message. It stops at the first byte too many.
func (m *incoming) join(weigh *scale) ([]byte, error) {
	all := m.buf[:0]
	for {
		data, err := m.next()
		switch {
		case err == io.EOF:
			m.buf = nil
			if cap(all) <= chunk {
				m.buf = all
			}
			return all, nil
		case err != nil:
			return nil, err
		case len(all)+len(data) > m.most:
			err = tooLong("a body", m.most, "bytes")
		default:
			err = weigh.add(data)
		}
		if err != nil {
			return nil, &ProtocolError{Err: err}
		}
		all = append(grown(all, len(data), m.most), data...)
	}
}

// grown makes room in b for n bytes more, twice what it had but no more than
// it can need.
func grown(b []byte, n, most int) []byte {
	if len(b)+n <= cap(b) {
		return b
	}
	return append(make([]byte, 0, min(most, max(2*cap(b), len(b)+n))), b...)
}

// badBody says that a body is not what it should be; the message was read.
type badBody struct{ err error }

func (e *badBody) Error() string { return "body is not as expected: " + e.err.Error() }
func (e *badBody) Unwrap() error { return e.err }

func unmarshal(data []byte, to any, strict bool) error {
	if !strict {
		return json.Unmarshal(data, to)
	}
	if !utf8.Valid(data) { // decoding would make three bytes of a wrong one
		return errors.New("not valid UTF-8")
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(to); err != nil {
		return err
	}
	if _, err := dec.Token(); err != io.EOF {
		return errors.New("bytes after the value")
	}
	return nil
}

// lines reads a jsonl body, giving each value to yield until that says false.
func (m *incoming) lines(elem reflect.Type, yield func(v reflect.Value) bool) error {
	var part []byte // of a line that goes on in the next frame
	price := priceOf(elem)
	for n := 0; ; {
		data, err := m.next()
		switch {
		case err == io.EOF && len(part) > 0:
			return &ProtocolError{Err: errors.New("a last line without its end")}
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
		for len(data) > 0 {
			line, rest, whole := bytes.Cut(data, []byte{'\n'})
			data = rest
			if len(part)+len(line) > m.limits.Line {
				return &ProtocolError{Err: tooLong("a line", m.limits.Line, "bytes")}
			}
			if !whole {
				part = append(part, line...)
				break
			}
			if len(part) > 0 {
				line = append(part, line...)
				part = part[:0]
			}
			n++
			v, err := m.line(n, line, elem, price)
			if err != nil {
				return err
			}
			if !yield(v) {
				return nil
			}
		}
	}
}

// line makes a value of the n-th line.
func (m *incoming) line(n int, text []byte, elem reflect.Type, price price) (reflect.Value, error) {
	v := reflect.New(elem)
	if n > m.limits.Lines {
		return v, &ProtocolError{Err: tooLong("a list", m.limits.Lines, "lines")}
	}
	weigh := scale{price: price, limit: m.limits.Decoded}
	if err := weigh.add(text); err != nil {
		return v, &ProtocolError{Err: fmt.Errorf("line %d: %w", n, err)}
	}
	if err := unmarshal(text, v.Interface(), m.request); err != nil {
		return v, &ProtocolError{Err: fmt.Errorf("line %d: %w", n, err)}
	}
	return v.Elem(), nil
}

// sequence makes a function of an iter.Seq2 type of lines: whoever ranges
// over it reads the message. It can be ranged over once. end is called with
// the error once no more is read; the message was read to its end if that is
// nil and m.ended.
func (m *incoming) sequence(s shape, end func(error)) reflect.Value {
	used, mine := false, m.number
	return reflect.MakeFunc(s.typ, func(args []reflect.Value) []reflect.Value {
		yield := args[0]
		noError, noValue := reflect.Zero(errorType), reflect.Zero(s.elem)
		if used || m.number != mine {
			err := errors.New("a list that was read already, or whose call is over")
			yield.Call([]reflect.Value{noValue, reflect.ValueOf(&err).Elem()})
			return nil
		}
		used = true
		stopped := false
		err := m.lines(s.elem, func(v reflect.Value) bool {
			stopped = !yield.Call([]reflect.Value{v, noError})[0].Bool()
			return !stopped
		})
		var remote *RemoteError
		if err != nil && !errors.As(err, &remote) {
			m.fault = err
		}
		end(err)
		if err != nil && !stopped {
			yield.Call([]reflect.Value{noValue, reflect.ValueOf(&err).Elem()})
		}
		return nil
	})
}
