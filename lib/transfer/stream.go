package transfer

import (
	"os"
	"sync/atomic"
)

// Stream is a stream on its way from a sender to a receiver. It is one of
// two: a descriptor that stands at the start of a framed stream, where the
// sender is elsewhere, or a command that was not started yet and will write
// the plain stream to its stdout, where the sender is here.
type Stream struct {
	SendReply

	// Framed is read up to the end of the framed stream and not further. It
	// stays the sender's. Done must be called once: clean says that the stream
	// was read to its good end, so that the connection can go on; otherwise
	// the error is what is known about the connection's end, or nil.
	Framed *os.File
	Slot   *Slot // of the connection
	Done   func(clean bool) error

	// Args is the command, its program first. Expect is what the stream must be,
	// in words for zsend-frame -expect-zfs.
	// Compress is how zsend-frame is to compress it; empty: not at all.
	Args     []string
	Expect   []string
	Compress string

	// Saved is how many bytes compression has kept off the connection so far.
	Saved atomic.Int64
}

// Close gives a stream back that nobody read.
func (s *Stream) Close() {
	if s != nil && s.Done != nil {
		s.Done(false)
	}
}
