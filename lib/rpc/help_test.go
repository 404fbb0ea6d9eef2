package rpc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/zrepl-tools/zrepl-tools/lib/child"
	"github.com/zrepl-tools/zrepl-tools/lib/frame"
)

// link is a connection's two ends, each a file to read and one to write.
type link struct {
	name                       string
	clientIn, clientOut        *os.File
	serverIn, serverOut        *os.File
	hangUpClient, hangUpServer func()
}

func pipes(t testing.TB) link {
	t.Helper()
	r1, w1 := pipe(t)
	r2, w2 := pipe(t)
	return link{"pipes", r1, w2, r2, w1, func() { r1.Close(); w2.Close() }, func() { r2.Close(); w1.Close() }}
}

func sockets(t testing.TB) link {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	a, b := os.NewFile(uintptr(pair[0]), "a"), os.NewFile(uintptr(pair[1]), "b")
	t.Cleanup(func() { a.Close(); b.Close() })
	return link{"sockets", a, a, b, b, func() { a.Close() }, func() { b.Close() }}
}

func pipe(t testing.TB) (r, w *os.File) {
	t.Helper()
	r, w, err := child.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	return r, w
}

// connect serves s over the link and returns its client and what Serve says.
func connect(t testing.TB, s *Server, l link) (*Conn, <-chan error) {
	t.Helper()
	served, over := make(chan error, 1), make(chan struct{})
	go func() {
		err := s.Serve(context.Background(), l.serverIn, l.serverOut)
		l.hangUpServer()
		served <- err
		close(over)
	}()
	c, err := NewConn(l.clientIn, l.clientOut)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Close()
		l.hangUpClient()
		await(t, over)
	})
	return c, served
}

// ending returns what Serve says after the client has hung up.
func ending(t testing.TB, c *Conn, l link, served <-chan error) error {
	t.Helper()
	c.Close()
	l.hangUpClient()
	return await(t, served)
}

// plenty is for what takes milliseconds, on a busy machine. Whoever waits for a
// far side that is gone waits longer: the limit for that is a minute.
const plenty = 50 * time.Second

func await[T any](t testing.TB, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(plenty):
		t.Fatalf("waited for %v", plenty)
		panic("unreachable")
	}
}

type question struct{ Text string }

type answer struct {
	Text string
	N    int
}

// testServer has a function of each kind.
func testServer() *Server {
	s := &Server{}
	s.Handle("nothing", func(context.Context, struct{}) (struct{}, error) { return struct{}{}, nil })
	s.Handle("echo", func(_ context.Context, q question) (answer, error) { return answer{q.Text, len(q.Text)}, nil })
	s.Handle("refuse", func(context.Context, question) (answer, error) {
		return answer{}, &RemoteError{"not-offered", "dataset \"a\x1b[31m\nb\" is not offered"}
	})
	s.Handle("fail", func(context.Context, struct{}) (struct{}, error) { return struct{}{}, errors.New("it broke") })
	s.Handle("count", func(_ context.Context, n int) (iter.Seq2[answer, error], error) {
		if n < 0 || n > 1_000_000 {
			return nil, errors.New("less than nothing")
		}
		return counted(n, nil), nil
	})
	s.Handle("count-badly", func(_ context.Context, n int) (iter.Seq2[answer, error], error) {
		return counted(n, &RemoteError{"pool-gone", "the pool went away"}), nil
	})
	s.Handle("sum", func(_ context.Context, in iter.Seq2[int, error]) (int, error) {
		total := 0
		for n, err := range in {
			if err != nil {
				return 0, fmt.Errorf("cannot sum: %w", err)
			}
			total += n
		}
		return total, nil
	})
	s.Handle("double", func(_ context.Context, in iter.Seq2[int, error]) (iter.Seq2[int, error], error) {
		return func(yield func(int, error) bool) {
			for n, err := range in {
				if !yield(2*n, err) {
					return
				}
			}
		}, nil
	})
	s.Handle("first", func(_ context.Context, in iter.Seq2[int, error]) (int, error) {
		for n, err := range in {
			return n, err
		}
		return 0, errors.New("empty")
	})
	s.Handle("fetch", func(_ context.Context, n int) (answer, Sender, error) {
		if n < 0 {
			return answer{}, nil, &RemoteError{"not-offered", "no such octets"}
		}
		return answer{N: n}, sendOctets(n), nil
	})
	s.Handle("store", func(_ context.Context, q question, o *Octets) (int, error) {
		switch q.Text {
		case "refuse":
			return 0, &RemoteError{"not-offered", "not here"}
		case "ignore":
			return 0, nil
		}
		return receiveOctets(o.File())
	})
	return s
}

func counted(n int, end error) iter.Seq2[answer, error] {
	return func(yield func(answer, error) bool) {
		for i := range n {
			if !yield(answer{N: i}, nil) {
				return
			}
		}
		if end != nil {
			yield(answer{}, end)
		}
	}
}

// octets is a framed stream of n bytes.
func octetStream(n int) []byte {
	var b bytes.Buffer
	w := frame.NewWriter(&b, frame.None)
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(i * 7)
	}
	if err := errors.Join(w.Header([]byte(`{"zframe":1}`)), w.Data(data), w.Trailer(frame.Trailer{Status: frame.StatusOK})); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func sendOctets(n int) Sender {
	return func(_ context.Context, out *os.File) error {
		_, err := out.Write(octetStream(n))
		return err
	}
}

// receiveOctets reads one framed stream and not a byte more.
func receiveOctets(in io.Reader) (n int, err error) {
	r := frame.NewReader(in)
	for {
		f, err := r.Next()
		switch {
		case err == io.EOF:
			return n, nil
		case err != nil:
			return n, err
		case f.Type == frame.TypeData:
			n += len(f.Payload)
		case f.Type == frame.TypeTrailer && f.Trailer.Status != frame.StatusOK:
			return n, errors.New("the sender failed")
		}
	}
}
