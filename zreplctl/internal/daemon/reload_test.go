package daemon

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/control"
)

// source is where a daemon under test reads its configuration.
type source struct {
	mu     sync.Mutex
	c      *config.Config
	text   string
	err    error
	hangup chan os.Signal
	took   chan *config.Config
}

func newSource() *source {
	return &source{hangup: make(chan os.Signal, 1), took: make(chan *config.Config, 1000)}
}

func (s *source) set(c *config.Config, text string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.c, s.text, s.err = c, text, err
}

func (s *source) read() (*config.Config, []byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.c, []byte(s.text), s.err
}

// startReloading runs a daemon that can reload.
func startReloading(t *testing.T, c *config.Config) (*source, func() error) {
	t.Helper()
	s := newSource()
	_, stop := startWith(t, Options{Config: c, Text: []byte("first"), Read: s.read, Hangup: s.hangup,
		Reloaded: func(c *config.Config, _ []byte) { s.took <- c }})
	return s, stop
}

// hang sends a SIGHUP and waits until the daemon has taken the configuration.
func (s *source) hang(t *testing.T) {
	t.Helper()
	s.hangup <- syscall.SIGHUP
	await(t, s.took)
}

func jobNames(t *testing.T, c *config.Config) (names []string) {
	t.Helper()
	s, err := control.Get(t.Context(), c.Global.Control)
	if err != nil {
		t.Fatal(err)
	}
	for _, j := range s.Jobs {
		names = append(names, j.Name)
	}
	return names
}

func inode(t *testing.T, path string) uint64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Sys().(*syscall.Stat_t).Ino
}

// TestReload: jobs and clients come and go, and what is on goes on.
func TestReload(t *testing.T) {
	t.Parallel()
	dir := shortDir(t)
	c := conf(dir, "source", "long", "bad")
	s, stop := startReloading(t, c)
	began, ended := make(chan struct{}), make(chan int, 1)
	go func() {
		code, _, _ := control.RunJob(t.Context(), c.Global.Control, control.Request{Job: "long", Config: c.Path}, control.Follower{Stdout: closer(began), Stderr: io.Discard})
		ended <- code
	}()
	await(t, began)
	old := connect(t, c)
	old.ask("hello")
	socket := inode(t, filepath.Join(c.Global.SockDir, "client"))

	s.set(conf(dir, "source", "good", "source2"), "second", nil)
	s.hang(t)
	until(t, "a job without a run is gone, and one with a run is not", func() bool {
		return slices.Equal(jobNames(t, c), []string{"source", "good", "source2", "long"})
	})
	if inode(t, filepath.Join(c.Global.SockDir, "client")) != socket {
		t.Error("the socket of a client that stayed was made anew")
	}
	if got := old.ask("text"); got != "first" {
		t.Errorf("the connection from before: %q", got)
	}
	if got := connect(t, c).ask("text"); got != "second" {
		t.Errorf("a connection reads %q", got)
	}
	if got := connectAs(t, c, "client2").ask("hello"); got != "hello" {
		t.Errorf("the new client: %q", got)
	}
	if _, handled, _ := control.RunJob(t.Context(), c.Global.Control, control.Request{Job: "long", Config: c.Path}, control.Follower{}); handled {
		t.Error("a job that was removed is run")
	}
	select {
	case code := <-ended:
		t.Errorf("the run of the removed job has ended: %d", code)
	case <-time.After(100 * time.Millisecond):
	}

	// It comes back while its run is on, and the client goes.
	s.set(conf(dir, "long", "good"), "third", nil)
	s.hang(t)
	if got := jobNames(t, c); len(got) < 2 || !slices.Equal(got[:2], []string{"long", "good"}) { // and those that are ending
		t.Errorf("%q", got)
	}
	until(t, "the jobs that serve have ended", func() bool { return slices.Equal(jobNames(t, c), []string{"long", "good"}) })
	if got := old.ask("hello again"); got != "hello again" {
		t.Errorf("the connection of a client that was removed: %q", got)
	}
	gone := connect(t, c)
	if code := gone.code(t); code != 75 {
		t.Errorf("a client that was removed: %d, %s", code, gone.errs)
	}
	if code, handled, err := control.RunJob(t.Context(), c.Global.Control, control.Request{Job: "long", Config: c.Path}, control.Follower{Stdout: io.Discard, Stderr: io.Discard}); code != 75 || !handled || err == nil {
		t.Errorf("a second run of the job that came back: %d %v %v", code, handled, err)
	}

	// And the client comes back while its connection is on.
	s.set(conf(dir, "source", "long"), "fourth", nil)
	s.hang(t)
	if got := connect(t, c).ask("text"); got != "fourth" {
		t.Errorf("the client that came back reads %q", got)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if code := await(t, ended); code != 143 && code != 75 { // 75: the daemon was gone first
		t.Errorf("the run ended with %d", code)
	}
}

// TestBadReload: a bad configuration is refused with all its errors, and nothing
// changes, also for children.
func TestBadReload(t *testing.T) {
	t.Parallel()
	dir := shortDir(t)
	c := conf(dir, "source", "good")
	s, _ := startReloading(t, c)
	other := conf(dir, "source")
	other.Global.RunDir, other.Global.SockDir = "/elsewhere", "/elsewhere/s"
	for _, bad := range []struct {
		c    *config.Config
		err  error
		want []string
	}{
		{nil, errors.Join(errors.New("line 1: wrong"), errors.New("line 2: wrong, too")), []string{"line 1: wrong", "line 2: wrong, too"}},
		{other, nil, []string{"global: rundir: a running daemon cannot move from ", "global: serve: stdinserver: sockdir: a running"}},
	} {
		s.set(bad.c, "bad", bad.err)
		r, err := control.Reload(t.Context(), c.Global.Control, c.Path)
		if err != nil || len(r.Errors) != len(bad.want) {
			t.Fatalf("%+v, %v", r, err)
		}
		for i, want := range bad.want {
			if !strings.Contains(r.Errors[i], want) {
				t.Errorf("%q, not %q", r.Errors[i], want)
			}
		}
		if got := jobNames(t, c); !slices.Equal(got, []string{"source", "good"}) {
			t.Errorf("jobs %q", got)
		}
		if got := connect(t, c).ask("text"); got != "first" {
			t.Errorf("a connection reads %q", got)
		}
	}
	if _, err := control.Reload(t.Context(), c.Global.Control, "/another.yml"); err == nil {
		t.Error("another file is reloaded")
	}
	fresh := conf(dir, "source", "good", "bad")
	fresh.Jobs[1].Stall = time.Minute
	s.set(fresh, "good", nil)
	r, err := control.Reload(t.Context(), c.Global.Control, c.Path)
	if err != nil || !slices.Equal(r.Added, []string{"bad"}) || r.Removed != nil || !slices.Equal(r.Changed, []string{"good"}) {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestManyReloads: a hundred reloads during runs and connections lose none of
// them, close no socket, and leave no descriptor.
func TestManyReloads(t *testing.T) {
	dir := shortDir(t)
	c := conf(dir, "source", "long", "good")
	s, _ := startReloading(t, c)
	began := make(chan struct{})
	ended := make(chan int, 1)
	go func() {
		code, _, _ := control.RunJob(t.Context(), c.Global.Control, control.Request{Job: "long", Config: c.Path}, control.Follower{Stdout: closer(began), Stderr: io.Discard})
		ended <- code
	}()
	await(t, began)
	var clients []*session
	for range 4 {
		clients = append(clients, connect(t, c))
	}
	socket, before := inode(t, filepath.Join(c.Global.SockDir, "client")), 0
	for i := range 100 {
		one := conf(dir, "source", "long", "good", "source2", "bad")
		if i%2 == 0 {
			one = conf(dir, "source", "bad")
		}
		if i%10 == 9 {
			s.set(nil, "", errors.New("bad"))
			s.hangup <- syscall.SIGHUP
		}
		s.set(one, "text", nil)
		s.hang(t)
		for _, client := range clients {
			if client.ask("hello") != "hello" {
				t.Fatalf("reload %d has lost a connection", i)
			}
		}
		if i == 19 {
			before = openFiles()
		}
	}
	if inode(t, filepath.Join(c.Global.SockDir, "client")) != socket {
		t.Error("the socket was made anew")
	}
	select {
	case code := <-ended:
		t.Errorf("the run has ended: %d", code)
	default:
	}
	const inPassing = 5 // what a job or a socket that just comes or goes has
	until(t, "no descriptor is left", func() bool { return openFiles() <= before+inPassing })
	t.Logf("descriptors: %d after 20 reloads, %d after 100", before, openFiles())
}
