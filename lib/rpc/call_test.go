package rpc

import (
	"context"
	"errors"
	"iter"
	"os"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/zrepl-tools/zrepl-tools/lib/child"
)

// TestCalls makes every kind of call over every kind of connection, several
// times one after the other, so that each leaves the connection in order.
func TestCalls(t *testing.T) {
	each := map[string]func(t *testing.T) (Client, func() error){
		"pipes":   func(t *testing.T) (Client, func() error) { return linked(t, pipes(t)) },
		"sockets": func(t *testing.T) (Client, func() error) { return linked(t, sockets(t)) },
		"local":   func(t *testing.T) (Client, func() error) { return Local(testServer()), func() error { return nil } },
	}
	for name, connect := range each {
		t.Run(name, func(t *testing.T) {
			c, end := connect(t)
			for range 2 {
				plainCalls(t, c)
				lineCalls(t, c)
				octetCalls(t, c)
			}
			if err := end(); err != nil {
				t.Errorf("the server ended with: %v", err)
			}
		})
	}
}

func linked(t *testing.T, l link) (Client, func() error) {
	c, served := connect(t, testServer(), l)
	return c, func() error { return ending(t, c, l, served) }
}

func plainCalls(t *testing.T, c Client) {
	t.Helper()
	ctx := context.Background()
	if err := c.Call(ctx, "nothing", nil, nil); err != nil {
		t.Errorf("nothing: %v", err)
	}
	if err := c.Call(ctx, "nothing", struct{}{}, &struct{}{}); err != nil {
		t.Errorf("nothing: %v", err)
	}
	var a answer
	if err := c.Call(ctx, "echo", question{"häß\x00lich"}, &a); err != nil || a.N != 10 || a.Text != "häß\x00lich" {
		t.Errorf("echo: %v, %v", a, err)
	}
	long := strings.Repeat("long ", 250_000) // more than a frame
	if err := c.Call(ctx, "echo", question{long}, &a); err != nil || a.Text != long {
		t.Errorf("echo of 1.25 MB: %d, %v", a.N, err)
	}
	var remote *RemoteError
	err := c.Call(ctx, "refuse", question{}, &a)
	if !errors.As(err, &remote) || remote.Code != "not-offered" {
		t.Errorf("refuse: %v", err)
	}
	if err := c.Call(ctx, "fail", nil, nil); err == nil || err.Error() != "it broke" {
		t.Errorf("fail: %v", err)
	}
	if err := c.Call(ctx, "no-such", nil, nil); !errors.As(err, &remote) || remote.Code != CodeUnknownCall {
		t.Errorf("no-such: %v", err)
	}
	if err := c.Call(ctx, "echo", nil, nil); !errors.As(err, &remote) || remote.Code != CodeBadRequest {
		t.Errorf("echo of nothing: %v", err)
	}
	if err := c.Call(ctx, "echo", struct{ Tekst string }{"x"}, &a); !errors.As(err, &remote) || remote.Code != CodeBadRequest {
		t.Errorf("echo with an unknown key: %v", err)
	}
}

func lineCalls(t *testing.T, c Client) {
	t.Helper()
	ctx := context.Background()
	for _, n := range []int{0, 1, 6_000} {
		i := 0
		for a, err := range Stream[answer](ctx, c, "count", n) {
			if err != nil || a.N != i {
				t.Fatalf("line %d: %v, %v", i, a, err)
			}
			i++
		}
		if i != n {
			t.Errorf("%d lines, want %d", i, n)
		}
	}
	for _, err := range Stream[answer](ctx, c, "count", -1) {
		if err == nil || err.Error() != "less than nothing" {
			t.Errorf("count of -1: %v", err)
		}
	}
	for _, n := range []int{0, 3, 5_000} {
		lines, last := 0, error(nil)
		for _, err := range Stream[answer](ctx, c, "count-badly", n) {
			if last = err; err == nil {
				lines++
			}
		}
		var remote *RemoteError
		if lines != n || !errors.As(last, &remote) || remote.Code != "pool-gone" || remote.Message != "the pool went away" {
			t.Errorf("%d lines, then %v", lines, last)
		}
	}
	total := 0
	if err := c.Call(ctx, "sum", numbers(30_000), &total); err != nil || total != 30_000*29_999/2 {
		t.Errorf("sum: %d, %v", total, err)
	}
	i := 0
	var doubled iter.Seq2[int, error]
	if err := c.Call(ctx, "double", numbers(100), &doubled); err != nil {
		t.Fatalf("double: %v", err)
	}
	for n, err := range doubled {
		if err != nil || n != 2*i {
			t.Fatalf("double: %d, %v", n, err)
		}
		i++
	}
	if i != 100 {
		t.Errorf("double: %d lines", i)
	}
}

func numbers(n int) iter.Seq2[int, error] {
	return func(yield func(int, error) bool) {
		for i := range n {
			if !yield(i, nil) {
				return
			}
		}
	}
}

func octetCalls(t *testing.T, c Client) {
	t.Helper()
	ctx := context.Background()
	for _, n := range []int{0, 1, 1_500_000} {
		var a answer
		f, done, err := c.CallReceive(ctx, "fetch", n, &a)
		if err != nil {
			t.Fatalf("fetch: %v", err)
		}
		if got, err := receiveOctets(f); err != nil || got != n || a.N != n {
			t.Errorf("fetch: %d of %d, %v, %v", got, n, a, err)
		}
		if err := done(true); err != nil {
			t.Errorf("fetch: %v", err)
		}
		got := 0
		if err := c.CallSend(ctx, "store", question{}, sendOctets(n), &got); err != nil || got != n {
			t.Errorf("store: %d of %d, %v", got, n, err)
		}
	}
	var remote *RemoteError
	if _, _, err := c.CallReceive(ctx, "fetch", -1, new(answer)); !errors.As(err, &remote) || remote.Code != "not-offered" {
		t.Errorf("fetch of what is not offered: %v", err)
	}
}

// TestTurns makes calls from many goroutines over one connection.
func TestTurns(t *testing.T) {
	l := pipes(t)
	c, served := connect(t, testServer(), l)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				n := 0
				if err := c.Call(context.Background(), "sum", numbers(10), &n); err != nil || n != 45 {
					t.Errorf("sum: %d, %v", n, err)
				}
				plain := answer{}
				if err := c.Call(context.Background(), "echo", question{"x"}, &plain); err != nil || plain.N != 1 {
					t.Errorf("echo: %v, %v", plain, err)
				}
			}
		})
	}
	wg.Wait()
	if err := ending(t, c, l, served); err != nil {
		t.Error(err)
	}
}

func TestHandleRefuses(t *testing.T) {
	for name, fn := range map[string]any{
		"number":    7,
		"nil":       nil,
		"noContext": func(int) (int, error) { return 0, nil },
		"noError":   func(context.Context, int) (int, int) { return 0, 0 },
		"channel":   func(context.Context, chan int) (int, error) { return 0, nil },
		"lines":     func(context.Context, iter.Seq2[int, error], *Octets) (int, error) { return 0, nil },
		"bad name":  func(context.Context, struct{}) (int, error) { return 0, nil },
	} {
		s := &Server{}
		s.Handle(name, fn)
		if err := s.Serve(context.Background(), os.Stdin, os.Stdout); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestDescriptorsUnchanged: O_NONBLOCK is shared with others.
func TestDescriptorsUnchanged(t *testing.T) {
	for _, nonblock := range []bool{false, true} {
		l := sockets(t)
		for _, f := range []*os.File{l.clientIn, l.serverIn} {
			if err := unix.SetNonblock(int(f.Fd()), nonblock); err != nil {
				t.Fatal(err)
			}
		}
		c, _ := connect(t, testServer(), l)
		plainCalls(t, c)
		for _, f := range []*os.File{l.clientIn, l.serverIn} {
			fd, err := child.FD(f)
			if err != nil {
				t.Fatal(err)
			}
			flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
			if err != nil || flags&unix.O_NONBLOCK != 0 != nonblock {
				t.Errorf("flags %x, %v; O_NONBLOCK was %v", flags, err, nonblock)
			}
		}
	}
}

func TestTrace(t *testing.T) {
	l := pipes(t)
	s := testServer()
	var server, client []Event
	s.Trace = func(e Event) { server = append(server, e) }
	served := make(chan error, 1)
	go func() { served <- s.Serve(context.Background(), l.serverIn, l.serverOut) }()
	c, err := NewConn(l.clientIn, l.clientOut)
	if err != nil {
		t.Fatal(err)
	}
	c.Trace = func(e Event) { client = append(client, e) }
	c.Call(context.Background(), "echo", question{"x"}, new(answer))
	c.Call(context.Background(), "fail", nil, nil)
	ending(t, c, l, served)
	if len(server) != 2 || len(client) != 2 {
		t.Fatalf("%d and %d events", len(server), len(client))
	}
	if s, c := server[0], client[0]; s.Call != "echo" || c.Call != "echo" || s.Sent != c.Received || s.Received != c.Sent || s.Sent == 0 || c.Duration <= 0 {
		t.Errorf("events %+v and %+v", s, c)
	}
	if client[1].Err == nil {
		t.Error("the error is not in the event")
	}
}
