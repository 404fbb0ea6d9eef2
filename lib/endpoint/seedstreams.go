package endpoint

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/child"
	"github.com/zrepl-tools/zrepl-tools/lib/seed"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// read has fn read the file. A read cannot be cancelled: if ctx is, or the file
// stalls, the turn is not given back before it ends, which may be never.
func (s *Seed) read(ctx context.Context, fn func() error) error {
	return s.during(ctx, fn, func(error) bool { return false })
}

// during is read that keeps the turn if keeps says so of what fn returned.
func (s *Seed) during(ctx context.Context, fn func() error, keeps func(error) bool) error {
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	gone, leave := context.WithCancel(context.Background())
	defer leave()
	done := make(chan error)
	go func() {
		err := fn()
		select {
		case done <- err:
			if keeps(err) {
				return
			}
		case <-gone.Done():
		}
		<-s.turn
	}()
	return s.await(ctx, done)
}

// await waits for what reads the file, but not if that stalls.
func (s *Seed) await(ctx context.Context, done <-chan error) error {
	tick := time.NewTicker(flowTick)
	defer tick.Stop()
	last, since := s.in.bytes.Load(), time.Now()
	for {
		select {
		case err := <-done:
			return err
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
		switch n := s.in.bytes.Load(); {
		case n != last:
			last, since = n, time.Now()
		case s.stall > 0 && time.Since(since) >= s.stall:
			return &transfer.LinkError{Err: &transfer.StallError{Limit: s.stall}}
		}
	}
}

// counted counts what is read.
type counted struct {
	io.Reader
	bytes atomic.Uint64
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.bytes.Add(uint64(n))
	return n, err
}

// Send looks for the stream of a dataset, and passes over those before it. A file
// cannot continue what was received in part: it has the whole stream.
func (s *Seed) Send(ctx context.Context, in transfer.SendRequest) (*transfer.Stream, error) {
	if in.From.GUID != 0 || len(in.Via) > 0 {
		return nil, errors.New("the file has no incremental streams")
	}
	found := func(err error) bool { return err == nil }
	if err := s.during(ctx, func() error { return s.seek(in) }, found); err != nil {
		return nil, err
	}
	r, w, err := child.Pipe()
	if err != nil {
		<-s.turn
		return nil, err
	}
	last := make(chan error, 1)
	s.last = last
	go func() {
		last <- s.pass(w)
		w.Close()
		<-s.turn
	}()
	return &transfer.Stream{SendReply: transfer.SendReply{To: in.To.GUID, Name: in.To.Name}, Framed: r,
		Done: func(bool) error { return r.Close() }}, nil
}

// seek reads on to the stream that a request is about.
func (s *Seed) seek(in transfer.SendRequest) error {
	if s.of(in.Dataset).passed {
		return errors.New("its stream in the file has passed already: import the file once more")
	}
	for {
		if err := s.next(); err != nil {
			return err
		}
		switch {
		case s.entry == nil:
			return errors.New("the file has no stream of it")
		case s.entry.Dataset != in.Dataset:
			if err := s.pass(io.Discard); err != nil && s.broken != nil {
				return err
			}
		case s.entry.GUID != in.To.GUID || s.entry.Snapshot != in.To.Name:
			return fmt.Errorf("the file's list has snapshot %s, and its stream is announced as another one", in.To)
		default:
			return nil
		}
	}
}

// next reads what stands before the next stream, unless that was read already.
func (s *Seed) next() error {
	if s.broken != nil || s.entry != nil || s.ended {
		return s.broken
	}
	entry, err := s.file.Next()
	if err == nil && entry != nil && s.extra[entry.Dataset] == nil {
		entry, err = nil, fmt.Errorf("stream %d of the file is of a dataset that its list does not have", entry.Stream)
	}
	s.entry, s.broken, s.ended = entry, err, entry == nil && err == nil
	s.begun = true
	return err
}

// pass reads the stream that was announced.
func (s *Seed) pass(to io.Writer) error {
	err := s.file.Pass(to)
	s.extra[s.entry.Dataset].passed, s.entry = true, nil
	if err != nil && !errors.As(err, new(*seed.DamageError)) {
		s.broken = err
	}
	return err
}

// Finish reads to the end of a file of which something was read. The error says
// that it is not whole.
func (s *Seed) Finish(ctx context.Context) error {
	return s.read(ctx, func() error {
		for s.begun && !s.ended {
			if err := s.next(); err != nil || s.ended {
				return err
			}
			if err := s.pass(io.Discard); err != nil && s.broken != nil {
				return err
			}
		}
		return nil
	})
}

// SeedReceiver is the receiving end for a Seed.
type SeedReceiver struct {
	*Receiver
	Seed *Seed
	Say  func(string)
}

// Receive receives a stream of the file. What another stream of the same snapshot
// has left is discarded when the file's is at hand. A fault of the file is that of
// one dataset.
func (r SeedReceiver) Receive(ctx context.Context, in transfer.ReceiveRequest, from *transfer.Stream, progress func(uint64)) (transfer.Received, error) {
	if in.Resume {
		r.Say(fmt.Sprintf("discarding the partial receive of %q: the file has all of its stream", in.Dataset))
		over, err := r.restart(ctx, in.Dataset)
		if err != nil {
			from.Close()
			return transfer.Received{}, fmt.Errorf("cannot discard the partial receive: %w", err)
		}
		in.Resume, in.Over = false, over
	}
	got, err := r.Receiver.Receive(ctx, in, from, progress)
	if err == nil || ctx.Err() != nil || errors.As(err, new(*transfer.StallError)) {
		return got, err
	}
	if why := r.Seed.await(ctx, r.Seed.last); why != nil {
		return got, why
	}
	if link := (*transfer.LinkError)(nil); errors.As(err, &link) {
		err = link.Err
	}
	return got, err
}

// restart discards a partial receive, and reports whether that was onto a
// placeholder.
func (r SeedReceiver) restart(ctx context.Context, name string) (over bool, err error) {
	if err := r.Abort(ctx, transfer.Name{Dataset: name}); err != nil {
		return false, err
	}
	list, err := r.List(ctx, transfer.ListRequest{Datasets: []string{name}})
	for _, d := range list {
		over = over || d.Name == name && d.Placeholder
	}
	return over, err
}
