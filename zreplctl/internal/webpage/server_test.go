package webpage

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// served is a server that counts its looks.
type served struct {
	address string
	looks   atomic.Int64
	most    atomic.Int64 // looks at once
	under   atomic.Int64
	fail    atomic.Bool
	slow    time.Duration
	stop    func() error
}

func serve(t *testing.T, m limits, slow time.Duration) *served {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	v := &served{address: l.Addr().String(), slow: slow}
	source := Source{Type: "text/plain", Make: func(ctx context.Context) ([]byte, error) {
		v.looks.Add(1)
		v.most.Store(max(v.most.Load(), v.under.Add(1)))
		defer v.under.Add(-1)
		select {
		case <-time.After(v.slow):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if v.fail.Load() {
			return nil, errors.New("no ZFS")
		}
		return []byte("page"), nil
	}}
	s := &Server{Address: v.address, Names: []string{"backup1"}, Pages: map[string]Source{"/": source, "/metrics": source},
		Warn: func(string, error) {}, limits: m}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.serve(ctx, l) }()
	v.stop = sync.OnceValue(func() error { cancel(); return <-ended })
	t.Cleanup(func() { v.stop() })
	return v
}

func (v *served) get(path, host string) (int, string) {
	r, err := http.NewRequest("GET", "http://"+v.address+path, nil)
	if err != nil {
		return 0, err.Error()
	}
	r.Host = host
	c := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute}
	got, err := c.Do(r)
	if err != nil {
		return 0, err.Error()
	}
	defer got.Body.Close()
	text, _ := io.ReadAll(got.Body)
	return got.StatusCode, string(text)
}

// TestServerLooks: however many ask, one look goes on at a time, each page and
// each error answers for a while, and who goes away ends nobody's look.
func TestServerLooks(t *testing.T) {
	m := usual
	m.good, m.bad, m.connections = time.Hour, 400*time.Millisecond, 100
	v := serve(t, m, 300*time.Millisecond)
	v.fail.Store(true)
	if c, err := net.Dial("tcp", v.address); err == nil { // it goes away at once
		c.Write([]byte("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"))
		c.Close()
	}
	all := func(want int) {
		t.Helper()
		var wg sync.WaitGroup
		for i := range 30 {
			wg.Go(func() {
				if code, text := v.get([]string{"/", "/metrics"}[i%2], "localhost"); code != want {
					t.Errorf("%d, %s", code, text)
				}
			})
		}
		wg.Wait()
	}
	began := time.Now()
	all(http.StatusServiceUnavailable)
	if n := v.looks.Load(); n > 4+int64(time.Since(began)/m.bad) { // an error answers for so long
		t.Errorf("%d looks", n)
	}
	v.fail.Store(false)
	time.Sleep(m.bad)
	before := v.looks.Load()
	all(http.StatusOK)
	all(http.StatusOK)
	if n := v.looks.Load() - before; n != 2 {
		t.Errorf("%d looks for two pages", n)
	}
	if n := v.most.Load(); n != 1 {
		t.Errorf("%d looks at once", n)
	}
	for _, path := range []string{"/x", "/metrics/"} {
		if code, _ := v.get(path, "localhost"); code != http.StatusNotFound {
			t.Errorf("%s: %d", path, code)
		}
	}
}

// TestServerSilent: a look that does not end keeps nobody waiting, and ends with
// the server.
func TestServerSilent(t *testing.T) {
	m := usual
	m.wait = 100 * time.Millisecond
	v := serve(t, m, time.Hour)
	for range 3 {
		if code, text := v.get("/", "localhost"); code != http.StatusServiceUnavailable || !strings.Contains(text, "still being made") {
			t.Errorf("%d, %s", code, text)
		}
	}
	if n := v.looks.Load(); n != 1 {
		t.Errorf("%d looks", n)
	}
	if err := v.stop(); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	for end := time.Now().Add(time.Minute); v.under.Load() > 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the look goes on")
		}
	}
}

// TestServerHosts: a name that a stranger lets lead here is refused.
func TestServerHosts(t *testing.T) {
	v := serve(t, usual, 0)
	for host, want := range map[string]int{"localhost": 200, "LOCALHOST.:9811": 200, "127.0.0.1:1": 200, "[::1]:9811": 200, "backup1:9811": 200,
		"evil.example": 421, "localhost.evil.example": 421, "127.0.0.1.evil.example": 421, "192.0.2.1": 421, "backup1.evil.example": 421, "[": 421} {
		if code, text := v.get("/", host); code != want && !(host == "[" && code == 400) {
			t.Errorf("%s: %d, %s; want %d", host, code, text, want)
		}
	}
	s := &Server{Address: "[::]:9811"}
	for host, want := range map[string]bool{"192.0.2.7:9811": true, "192.0.2.8": false} {
		if got := s.answersTo(host, &net.TCPAddr{IP: net.ParseIP("192.0.2.7"), Port: 9811}); got != want {
			t.Errorf("%s: %v", host, got)
		}
	}
}

// TestServerConnections: those who say nothing have a bounded number of places,
// for a bounded time.
func TestServerConnections(t *testing.T) {
	m := usual
	m.connections, m.read = 3, 3*time.Second
	v := serve(t, m, 0)
	for range 3 * m.connections {
		c, err := net.Dial("tcp", v.address)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.Write([]byte("GET / HTTP/1.1\r\nHost: localhost\r\n"))
	}
	if code, _ := v.get("/", "localhost"); code != 0 {
		t.Errorf("there was room: %d", code)
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		code, text := v.get("/", "localhost")
		if code == 200 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%d, %s", code, text)
		}
	}
}
