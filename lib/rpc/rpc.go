// Package rpc calls functions over one ordered pair of byte streams, a
// descriptor to read and one to write, as zrpc(5) says.
//
// A call is one message in each direction, and each message is a framed
// stream of zframe(5). A server's handlers are ordinary functions, and their
// parameters decide what the bodies are, so a new call needs no change here;
// see Server.Handle. A call may carry a stream of octets either way: a second
// framed stream directly after the message. It does not pass through this
// package. The caller gets the descriptor, to give it to a child, and the
// package promises to have read nothing beyond the message.
//
// Other processes may share the descriptors: O_NONBLOCK is never changed, and
// every wait is a poll(2) with a limit. A connection carries one message at a
// time. After anything but a clean end it is not used again.
//
// The package does not connect, does not log and does not know the calls.
package rpc

import (
	"context"
	"errors"
	"os"
	"time"
)

// Sender writes one whole framed stream to out, usually by a child that has
// out as its standard output. It must not write after it has returned, nor
// close out. Once ctx is cancelled nobody wants the stream.
type Sender func(ctx context.Context, out *os.File) error

// Client is what can be called: a *Conn, or the handlers of this process
// (Local). It is safe for concurrent use, but has one call at a time.
type Client interface {
	// Call makes a call without octets. in is what the handler takes: nil
	// or struct{} for nothing, an iter.Seq2[T, error] for jsonl, and
	// anything else for json. out is a pointer to what the handler
	// returns, or nil for nothing. An out of *iter.Seq2[T, error] must be
	// ranged over before the next call; leaving it early closes a Conn.
	Call(ctx context.Context, name string, in, out any) error

	// CallReceive makes a call whose reply is followed by octets. The file
	// stands exactly at the start of the framed stream. It belongs to the
	// connection and is not to be closed. done must be called when it is
	// no longer read: with true if the stream was read to just behind its
	// trailer, and the connection can be used again; with false otherwise,
	// and it is closed. The error of done is that of a local sender.
	CallReceive(ctx context.Context, name string, in, out any) (octets *os.File, done func(clean bool) error, err error)

	// CallSend makes a call whose request is followed by octets, which
	// send writes. The far side may refuse at any time: then send's
	// context is cancelled, and the far side's error returned.
	CallSend(ctx context.Context, name string, in any, send Sender, out any) error

	// Close ends the connection, also under a call.
	Close() error
}

// Limits bound what a peer can make us wait for and hold in memory. A zero
// field means its default.
type Limits struct {
	Start     time.Duration // for a frame, from its first byte on; 10 s. A longer frame may take longer, at 4 KiB a second
	Silence   time.Duration // without a byte inside a message, or before a reply; 60 s. Heartbeats are bytes
	Idle      time.Duration // a server's, between two calls; 0 means no limit
	Reply     time.Duration // a client's, from a call to the end of its reply, and a second more for each 4 KiB of it and each 256 bytes of its request; octets are not in it; 0 means no limit
	Slowest   time.Duration // a server's, for the body of a request, and a second more for each 4 KiB of it; 60 s
	Heartbeat time.Duration // a server's, while a reply takes long; 10 s
	JSON      int           // bytes of a json body; 16 MiB
	Line      int           // bytes of a line of jsonl; 1 MiB
	Lines     int           // lines of a jsonl body; 100 million
	Decoded   int           // bytes that the values of a json body, or a line, take besides their text; 64 MiB
}

func (l Limits) withDefaults() Limits {
	set(&l.Start, 10*time.Second)
	set(&l.Silence, time.Minute)
	set(&l.Slowest, time.Minute)
	set(&l.Heartbeat, 10*time.Second)
	set(&l.JSON, 16<<20)
	set(&l.Line, 1<<20)
	set(&l.Lines, 100_000_000)
	set(&l.Decoded, 64<<20)
	return l
}

func set[T int | time.Duration](field *T, value T) {
	if *field == 0 {
		*field = value
	}
}

// Greeting bounds what a stranger can make a server do. Until the call named
// Call was answered well no other is served, and neither its body is read for
// longer nor waited for longer than this says.
type Greeting struct {
	Call   string        // empty: every call is served from the start
	JSON   int           // bytes of a body; 64 KiB
	Within time.Duration // from the start of Serve to the end of the request; 10 s
}

func (g Greeting) withDefaults() Greeting {
	set(&g.JSON, 64<<10)
	set(&g.Within, 10*time.Second)
	return g
}

// Event tells a trace hook of one call that has ended.
type Event struct {
	Server   bool   // seen by the server; otherwise by the client
	Call     string // the endpoint
	Start    time.Time
	Duration time.Duration // the octets of CallReceive are not in it
	Received int64         // bytes of messages, without octets
	Sent     int64
	Err      error
}

// ErrClosed says that a connection can no longer be used: it was closed, or
// an earlier call did not end cleanly.
var ErrClosed = errors.New("the connection is closed")
