package rpc

import (
	"context"
	"errors"
	"io"
	"iter"
	"os"
	"strings"
	"testing"
	"time"
)

// TestSlowPeer sends a request a byte at a time: the server cuts it off, and
// another connection is served meanwhile.
func TestSlowPeer(t *testing.T) {
	s := testServer()
	s.Limits = Limits{Start: 300 * time.Millisecond}
	slow, quick := pipes(t), pipes(t)
	served := make(chan error, 1)
	go func() { served <- s.Serve(context.Background(), slow.serverIn, slow.serverOut) }()
	c, _ := connect(t, s, quick)
	stop := make(chan struct{})
	go func() {
		for _, b := range message(request("nothing", "none", "none"), "", 9) {
			select {
			case <-stop:
				return
			case <-time.After(100 * time.Millisecond): // all of it takes longer than the test may
				slow.clientOut.Write([]byte{b})
			}
		}
	}()
	began := time.Now()
	for range 100 {
		if err := c.Call(context.Background(), "nothing", nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	var timeout *TimeoutError
	if err := await(t, served); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("the slow one: %v", err)
	}
	if d := time.Since(began); d > plenty {
		t.Errorf("cut off after %s", d)
	}
	close(stop)
}

func TestIdle(t *testing.T) {
	s := testServer()
	s.Limits = Limits{Idle: 50 * time.Millisecond}
	_, served := connect(t, s, sockets(t))
	var timeout *TimeoutError
	if err := await(t, served); !errors.As(err, &timeout) {
		t.Errorf("an idle client: %v", err)
	}
}

// TestHeartbeats: a slow function is no dead server, before a reply, in the
// middle of lines, and while octets are taken.
func TestHeartbeats(t *testing.T) {
	const long, silence = 1500 * time.Millisecond, time.Second
	for _, beat := range []time.Duration{30 * time.Millisecond, time.Hour} {
		s := testServer()
		s.Limits = Limits{Heartbeat: beat}
		s.Handle("slow", func(context.Context, struct{}) (int, error) { time.Sleep(long); return 7, nil })
		s.Handle("slow-lines", func(_ context.Context, n int) (func(func(int, error) bool), error) {
			return func(yield func(int, error) bool) {
				time.Sleep(long)
				if yield(1, nil) {
					time.Sleep(long)
					yield(2, nil)
				}
			}, nil
		})
		s.Handle("slow-store", func(_ context.Context, _ struct{}, o *Octets) (int, error) {
			n, err := receiveOctets(o.File())
			time.Sleep(long)
			return n, err
		})
		calls := []func(c *Conn) error{
			func(c *Conn) error { return c.Call(context.Background(), "slow", nil, new(int)) },
			func(c *Conn) error {
				for _, err := range Stream[int](context.Background(), c, "slow-lines", 2) {
					if err != nil {
						return err
					}
				}
				return nil
			},
			func(c *Conn) error {
				return c.CallSend(context.Background(), "slow-store", nil, sendOctets(100_000), new(int))
			},
		}
		for i, call := range calls {
			t.Run(beat.String(), func(t *testing.T) {
				t.Parallel()
				c, _ := connect(t, s, pipes(t))
				c.Limits = Limits{Silence: silence}
				err := call(c)
				var timeout *TimeoutError
				if beat < silence && err != nil {
					t.Errorf("call %d with heartbeats: %v", i, err)
				}
				if beat > silence && !errors.As(err, &timeout) {
					t.Errorf("call %d without heartbeats: %v", i, err)
				}
			})
		}
	}
}

// TestCancel: the caller's context ends a call that waits.
func TestCancel(t *testing.T) {
	s := testServer()
	begun, ended := make(chan struct{}, 1), make(chan struct{}, 1)
	s.Handle("wait", func(ctx context.Context, _ struct{}) (struct{}, error) {
		begun <- struct{}{}
		<-ctx.Done()
		ended <- struct{}{}
		return struct{}{}, ctx.Err()
	})
	for _, l := range []link{pipes(t), sockets(t)} {
		c, served := connect(t, s, l)
		ctx, cancel := context.WithCancelCause(context.Background())
		why := errors.New("enough")
		go func() { <-begun; cancel(why) }()
		if err := c.Call(ctx, "wait", nil, nil); !errors.Is(err, why) {
			t.Errorf("%s: %v", l.name, err)
		}
		if err := c.Call(context.Background(), "nothing", nil, nil); !errors.Is(err, ErrClosed) {
			t.Errorf("%s: after a cancelled call: %v", l.name, err)
		}
		c.Close()
		l.hangUpClient() // the function's context ends, although it reads nothing
		await(t, ended)
		await(t, served)
	}
}

func TestCloseUnderCall(t *testing.T) {
	l := sockets(t) // nobody serves it
	c, err := NewConn(l.clientIn, l.clientOut)
	if err != nil {
		t.Fatal(err)
	}
	said := make(chan error, 1)
	go func() { said <- c.Call(context.Background(), "nothing", nil, nil) }()
	time.Sleep(20 * time.Millisecond) // either order is right
	c.Close()
	if err := await(t, said); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}

// A call that waits for its turn while the connection is closed gets none.
func TestCloseWhileWaiting(t *testing.T) {
	l := sockets(t)
	c, err := NewConn(l.clientIn, l.clientOut)
	if err != nil {
		t.Fatal(err)
	}
	c.turn <- struct{}{} // another call is being made
	said, closed := make(chan error, 1), make(chan error, 1)
	go func() { said <- c.Call(context.Background(), "nothing", nil, nil) }()
	time.Sleep(20 * time.Millisecond)
	go func() { closed <- c.Close() }()
	if err := await(t, said); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	<-c.turn
	if err := await(t, closed); err != nil {
		t.Error(err)
	}
}

// endless is a sender that only an end of its own can stop.
func endless(ctx context.Context, out *os.File) error {
	stream := octetStream(1 << 20)
	for ctx.Err() == nil {
		if _, err := out.Write(stream); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// TestRefusedPush: neither side waits for the other.
func TestRefusedPush(t *testing.T) {
	for _, l := range []link{pipes(t), sockets(t)} {
		c, served := connect(t, testServer(), l)
		began := time.Now()
		err := c.CallSend(context.Background(), "store", question{"refuse"}, endless, new(int))
		var remote *RemoteError
		if !errors.As(err, &remote) || remote.Code != "not-offered" {
			t.Errorf("%s: %v", l.name, err)
		}
		if d := time.Since(began); d > plenty {
			t.Errorf("%s: took %s", l.name, d)
		}
		if err := await(t, served); err == nil || !strings.Contains(err.Error(), "not here") {
			t.Errorf("%s: the server: %v", l.name, err)
		}
	}
}

// TestRefusedCalls: octets for a call that takes none, or that does not
// exist, or whose function ignores them.
func TestRefusedCalls(t *testing.T) {
	for _, name := range []string{"echo", "no-such", "store"} {
		for _, l := range []link{pipes(t), sockets(t)} {
			c, served := connect(t, testServer(), l)
			began := time.Now()
			err := c.CallSend(context.Background(), name, question{"ignore"}, endless, new(int))
			if err == nil || time.Since(began) > plenty {
				t.Errorf("%s over %s: %v after %s", name, l.name, err, time.Since(began))
			}
			if err := await(t, served); err == nil {
				t.Errorf("%s over %s: the server goes on", name, l.name)
			}
		}
	}
}

// TestFailedPush: a sender that fails closes the connection, and the server
// has no good stream.
func TestFailedPush(t *testing.T) {
	l := pipes(t)
	c, served := connect(t, testServer(), l)
	broke := errors.New("the disk broke")
	err := c.CallSend(context.Background(), "store", question{}, func(_ context.Context, out *os.File) error {
		out.Write(octetStream(1000)[:500])
		return broke
	}, new(int))
	if !errors.Is(err, broke) {
		t.Error(err)
	}
	c.Close()
	l.hangUpClient()
	if err := await(t, served); err == nil {
		t.Error("the server has taken a cut stream")
	}
}

// TestDeadInOctets: the server ends in the middle of the octets; the client's
// reader sees it, and the connection is given up.
func TestDeadInOctets(t *testing.T) {
	s := &Server{}
	s.Handle("fetch", func(context.Context, struct{}) (struct{}, Sender, error) {
		return struct{}{}, func(_ context.Context, out *os.File) error {
			out.Write(octetStream(100_000)[:50_000])
			return errors.New("killed")
		}, nil
	})
	for _, l := range []link{pipes(t), sockets(t)} {
		c, served := connect(t, s, l)
		f, done, err := c.CallReceive(context.Background(), "fetch", nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := receiveOctets(f); err == nil || errors.Is(err, io.EOF) {
			t.Errorf("a cut stream: %v", err)
		}
		done(false)
		if err := c.Call(context.Background(), "nothing", nil, nil); !errors.Is(err, ErrClosed) {
			t.Errorf("after it: %v", err)
		}
		if err := await(t, served); err == nil {
			t.Error("the server goes on")
		}
	}
}

// TestEarlyEnd: lines that are not all read close the connection, on either
// side.
func TestEarlyEnd(t *testing.T) {
	l := pipes(t)
	c, _ := connect(t, testServer(), l)
	for range Stream[answer](context.Background(), c, "count", 1_000_000) {
		break
	}
	if err := c.Call(context.Background(), "nothing", nil, nil); !errors.Is(err, ErrClosed) {
		t.Errorf("after lines that were not read: %v", err)
	}
	l = sockets(t)
	c, served := connect(t, testServer(), l)
	n := 0
	began := time.Now()
	err := c.Call(context.Background(), "first", numbers(50_000_000), &n)
	if time.Since(began) > plenty {
		t.Errorf("took %s", time.Since(began))
	}
	if serverErr := await(t, served); serverErr == nil {
		t.Errorf("the server goes on; the client has %v", err)
	}
}

// TestCloseLent: who closes before he has read all does not wait for himself.
func TestCloseLent(t *testing.T) {
	c, _ := connect(t, testServer(), pipes(t))
	_, done, err := c.CallReceive(context.Background(), "fetch", 100, new(answer))
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	done(false)
	c, _ = connect(t, testServer(), pipes(t))
	var lines iter.Seq2[answer, error]
	if err := c.Call(context.Background(), "count", 10, &lines); err != nil {
		t.Fatal(err)
	}
	c.Close()
	for _, err := range lines {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("lines of a closed connection: %v", err)
		}
	}
}
