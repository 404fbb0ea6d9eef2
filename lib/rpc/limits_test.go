package rpc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/frame"
)

type triple struct {
	A, B string
	N    uint64
}

type deep struct {
	M map[string][]triple
	P *deep
	L []map[string]string
}

// strict is a server whose callers must greet first. It notes what it calls.
func strict(limits Limits) (*Server, *[]string) { return strictWithin(limits, 500*time.Millisecond) }

// strictWithin gives them so long for that.
func strictWithin(limits Limits, within time.Duration) (*Server, *[]string) {
	called := &[]string{}
	note := func(name string) { *called = append(*called, name) }
	s := &Server{Limits: limits, Greeting: Greeting{Call: "hello", Within: within}}
	s.Handle("hello", func(_ context.Context, ok bool) (struct{}, error) {
		note("hello")
		if !ok {
			return struct{}{}, errors.New("no")
		}
		return struct{}{}, nil
	})
	s.Handle("triples", func(_ context.Context, in []triple) (int, error) { note("triples"); return len(in), nil })
	s.Handle("deep", func(_ context.Context, in deep) (int, error) { note("deep"); return len(in.M), nil })
	s.Handle("nothing", func(context.Context, struct{}) (struct{}, error) { note("nothing"); return struct{}{}, nil })
	return s, called
}

// TestStranger: before the greeting no other function runs and no body is
// long, and the caller learns why.
func TestStranger(t *testing.T) {
	const within = 2 * time.Second // for the first few calls
	began := time.Now()
	s, called := strictWithin(Limits{}, within)
	c, _ := connect(t, s, pipes(t))
	var remote *RemoteError
	for _, name := range []string{"nothing", "unknown"} {
		if err := c.Call(t.Context(), name, nil, nil); !errors.As(err, &remote) || !strings.Contains(remote.Message, `the first call must be "hello"`) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := c.Call(t.Context(), "triples", []triple{{}}, new(int)); !errors.As(err, &remote) || len(*called) > 0 {
		t.Errorf("triples: %v, called %v", err, *called)
	}
	if err := c.Call(t.Context(), "hello", false, nil); !errors.As(err, &remote) || remote.Message != "no" {
		t.Error(err)
	}
	if err := c.Call(t.Context(), "nothing", nil, nil); err == nil {
		t.Error("served after a greeting that failed")
	}
	if err := c.Call(t.Context(), "hello", true, nil); err != nil {
		t.Error(err)
	}
	time.Sleep(within - time.Since(began) + 100*time.Millisecond) // the limit for strangers is over
	if err := c.Call(t.Context(), "triples", make([]triple, 10_000), new(int)); err != nil {
		t.Errorf("a long body after the greeting: %v", err)
	}
	c.Close()
	for _, call := range []string{"hello", "triples", "unknown"} {
		s, called := strict(Limits{})
		c, served := connect(t, s, pipes(t))
		err := c.Call(t.Context(), call, strings.Repeat("x", 70_000), nil)
		if !errors.As(err, &remote) || remote.Code != CodeLimit || !strings.Contains(remote.Message, "65536 bytes") || len(*called) > 0 {
			t.Errorf("%s: %v, called %v", call, err, *called)
		}
		if err := await(t, served); err == nil {
			t.Errorf("%s: the connection goes on", call)
		}
	}
}

// TestGreetingDeadline: whatever a stranger does, it is gone in time.
func TestGreetingDeadline(t *testing.T) {
	greeting := message(request("hello", "json", "none"), "true", 1)
	refused := message(request("nothing", "none", "none"), "", 1)
	for name, write := range map[string]func(out *os.File) error{
		"silent": func(*os.File) error { time.Sleep(50 * time.Millisecond); return nil },
		"trickle": func(out *os.File) error {
			time.Sleep(20 * time.Millisecond)
			if len(greeting) == 1 { // it never comes to its end
				return nil
			}
			_, err := out.Write(greeting[:1])
			greeting = greeting[1:]
			return err
		},
		"refused": func(out *os.File) error { time.Sleep(20 * time.Millisecond); _, err := out.Write(refused); return err },
	} {
		s, called := strict(Limits{})
		l := pipes(t)
		served := make(chan error, 1)
		began := time.Now()
		go func() { served <- s.Serve(context.Background(), l.serverIn, l.serverOut) }()
		stop := make(chan struct{})
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for write(l.clientOut) == nil {
				select {
				case <-stop:
					return
				default:
				}
			}
		}()
		err := await(t, served)
		close(stop)
		<-ended
		l.serverOut.Close()
		var said bytes.Buffer
		said.ReadFrom(l.clientIn)
		if took := time.Since(began); took > plenty || took < 400*time.Millisecond || len(*called) > 0 {
			t.Errorf("%s: took %s, called %v", name, took, *called)
		}
		var timeout *TimeoutError
		if !errors.As(err, &timeout) || !strings.Contains(said.String(), `no \"hello\" came within 500ms`) {
			t.Errorf("%s: %v, %q", name, err, said.String())
		}
	}
}

// TestSlowBody sends a body in frames of a byte, each in good time.
func TestSlowBody(t *testing.T) {
	s, called := strict(Limits{Slowest: 300 * time.Millisecond})
	s.Greeting = Greeting{}
	l := pipes(t)
	served := make(chan error, 1)
	go func() { served <- s.Serve(context.Background(), l.serverIn, l.serverOut) }()
	w := frame.NewWriter(l.clientOut, frame.CRC32C)
	w.Header([]byte(request("triples", "json", "json")))
	var err error
	for began := time.Now(); err == nil && time.Since(began) < plenty; time.Sleep(20 * time.Millisecond) {
		w.Data([]byte("["))
		select {
		case err = <-served:
		default:
		}
	}
	var timeout *TimeoutError
	if !errors.As(err, &timeout) || len(*called) > 0 {
		t.Errorf("%v, called %v", err, *called)
	}
}

// TestIdleTold: a client that was idle for too long learns that from its next
// call, and can know before.
func TestIdleTold(t *testing.T) {
	s, _ := strict(Limits{Idle: 3 * time.Second})
	s.Greeting = Greeting{}
	c, served := connect(t, s, pipes(t))
	if err := c.Call(t.Context(), "nothing", nil, nil); err != nil || !c.Quiet() {
		t.Fatal(err, "or not quiet")
	}
	await(t, served)
	if c.Quiet() {
		t.Error("nothing to be seen of the end")
	}
	var remote *RemoteError
	if err := c.Call(t.Context(), "nothing", nil, nil); !errors.As(err, &remote) || remote.Code != CodeTimeout || !strings.Contains(remote.Message, "no request came within 3s") {
		t.Errorf("the next call: %v", err)
	}
	if c.Quiet() {
		t.Error("still good")
	}
}

// TestWeight sends bodies of 4 MiB, and 16 MiB with ZT_HEAVY, whose values take many
// times as much.
func TestWeight(t *testing.T) {
	size := 4 << 20
	if os.Getenv("ZT_HEAVY") != "" {
		size = 16 << 20
	}
	fill := func(before, unit, after string) string {
		n := (size - len(before) - len(after)) / (len(unit) + 1)
		return before + strings.TrimSuffix(strings.Repeat(unit+",", n), ",") + after
	}
	distinct := func(before, format, after string, n int) string {
		var b strings.Builder
		b.WriteString(before)
		for i := range n {
			if i > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, format, i)
		}
		return b.String() + after
	}
	s, called := strict(Limits{Decoded: 8 << 20, JSON: 16 << 20})
	s.Greeting = Greeting{}
	for _, c := range []struct{ call, body string }{
		{"triples", fill("[", "{}", "]")},
		{"triples", fill("[", "null", "]")},
		{"triples", fill("[", "[]", "]")},
		{"triples", fill("[", "0", "]")},
		{"triples", fill("[ ", ` {"A":""}`, " ]")},
		{"triples", strings.Repeat("[", size/16)},
		{"triples", strings.Repeat(`{"A":`, size/16)},
		{"deep", fill(`{"L":[`, "{}", "]}")},
		{"deep", fill(`{"L":[`, `{"":""}`, "]}")},
		{"deep", fill(`{"M":{"a":[`, "{}", "]}}")},
		{"deep", distinct(`{"M":{`, `"%d":[]`, "}}", size/16)},
		{"deep", distinct(`{"M":{"a":[{}]`, `"%d":[{},{},{}]`, "}}", size/28)},
		{"deep", strings.Repeat(`{"P":`, size/16)},
	} {
		var before, after runtime.MemStats
		input := message(request(c.call, "json", "json"), c.body, 1<<20)
		runtime.ReadMemStats(&before)
		reply, err := serveBytes(t, s, input)
		runtime.ReadMemStats(&after)
		took := (after.TotalAlloc - before.TotalAlloc) >> 20
		t.Logf("%s %.14q… of %d MiB: %d MiB allocated: %v", c.call, c.body, len(c.body)>>20, took, err)
		if took > 3*uint64(size>>20) || len(*called) > 0 {
			t.Errorf("%s %.20q: %d MiB allocated, called %v", c.call, c.body, took, *called)
		}
		if !bytes.Contains(reply, []byte(`"code":"limit"`)) && !bytes.Contains(reply, []byte(`"code":"bad-request"`)) {
			t.Errorf("%s %.20q: the client is told %q", c.call, c.body, reply)
		}
	}
}

// TestEndlessReply has a server that sends only heartbeats, and one that sends
// short lines without end: a client with a limit gives up.
func TestEndlessReply(t *testing.T) {
	s := &Server{Limits: Limits{Heartbeat: 20 * time.Millisecond}}
	stop := make(chan struct{})
	defer close(stop)
	s.Handle("never", func(context.Context, struct{}) (int, error) { <-stop; return 0, nil })
	s.Handle("lines", func(context.Context, struct{}) (func(func(int, error) bool), error) {
		return func(yield func(int, error) bool) {
			for yield(1, nil) {
				time.Sleep(20 * time.Millisecond)
			}
		}, nil
	})
	s.Handle("slow-store", func(_ context.Context, _ struct{}, o *Octets) (int, error) {
		n, err := receiveOctets(o.File())
		time.Sleep(700 * time.Millisecond)
		return n, err
	})
	for _, name := range []string{"never", "lines"} {
		c, _ := connect(t, s, pipes(t))
		c.Limits.Reply = 300 * time.Millisecond
		began := time.Now()
		var err error
		if name == "lines" {
			for _, e := range Stream[int](t.Context(), c, name, nil) {
				err = e
			}
		} else {
			err = c.Call(t.Context(), name, nil, new(int))
		}
		var timeout *TimeoutError
		if took := time.Since(began); !errors.As(err, &timeout) || took > plenty {
			t.Errorf("%s: %v after %s", name, err, took)
		}
	}
	c, _ := connect(t, s, pipes(t))
	c.Limits.Reply = 300 * time.Millisecond
	if err := c.CallSend(t.Context(), "slow-store", nil, sendOctets(3), new(int)); err != nil {
		t.Errorf("octets that take long: %v", err)
	}
}

// TestPrice decodes bodies that are just within the limit: what they take is
// not much more than what they were weighed at.
func TestPrice(t *testing.T) {
	const limit = 1 << 20
	repeat := func(before, unit, after string, n int) []byte {
		return []byte(before + strings.TrimSuffix(strings.Repeat(unit+",", n), ",") + after)
	}
	keys := func(before, value, after string, n int) []byte {
		var b bytes.Buffer
		b.WriteString(before)
		for i := range n {
			fmt.Fprintf(&b, `"%d":%s,`, i, value)
		}
		b.Truncate(b.Len() - 1)
		b.WriteString(after)
		return b.Bytes()
	}
	for name, c := range map[string]struct {
		make func(n int) []byte
		into func() any
	}{
		"structs":  {func(n int) []byte { return repeat("[", "{}", "]", n) }, func() any { return new([]triple) }},
		"strings":  {func(n int) []byte { return repeat("[", `""`, "]", n) }, func() any { return new([]string) }},
		"pointers": {func(n int) []byte { return repeat("[", "{}", "]", n) }, func() any { return new([]*deep) }},
		"maps":     {func(n int) []byte { return repeat(`{"L":[`, `{"":""}`, "]}", n) }, func() any { return new(deep) }},
		"map":      {func(n int) []byte { return keys("{", "[{}]", "}", n) }, func() any { return new(map[string][]triple) }},
		"map in":   {func(n int) []byte { return keys(`{"M":{`, "null", "}}", n) }, func() any { return new(deep) }},
		"any":      {func(n int) []byte { return repeat("[", `{"a":[0]}`, "]", n) }, func() any { return new(any) }},
	} {
		n := 1
		for n < 1<<22 {
			weigh := newScale(reflect.TypeOf(c.into()).Elem(), limit)
			if weigh.add(c.make(n*3/2)) != nil {
				break
			}
			n = n * 3 / 2
			n++
		}
		text, to := c.make(n), c.into()
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		if err := unmarshal(text, to, true); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		took := int(after.HeapAlloc) - int(before.HeapAlloc)
		runtime.KeepAlive(to)
		runtime.KeepAlive(text)
		t.Logf("%s: %d values, %d bytes of text, %d KiB taken", name, n, len(text), took>>10)
		if took > 2*limit+len(text) {
			t.Errorf("%s: %d values take %d KiB, with a limit of %d KiB", name, n, took>>10, limit>>10)
		}
	}
}
