package daemon

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/control"
)

// TestRoom: a client that has its share is told to try later, and so is one
// who comes when all is taken; both are let in once there is room.
func TestRoom(t *testing.T) {
	t.Parallel()
	c := conf(shortDir(t), "source", "source2")
	c.Global.Limits.ClientConnections, c.Global.Limits.Connections = 2, 3
	startConfig(t, c)
	first, second := connect(t, c), connect(t, c)
	for _, s := range []*session{first, second} {
		if s.ask("hello") != "hello" {
			t.Fatalf("not served: %s", s.errs)
		}
	}
	refused := func(id, want string) {
		t.Helper()
		s := connectAs(t, c, id)
		if code := s.code(t); code != 75 || !strings.Contains(s.errs.String(), want) {
			t.Errorf("%s: exit status %d: %s", id, code, s.errs)
		}
	}
	refused("client", "this client has 2 connections already, and client_connections allows no more")
	other := connectAs(t, c, "client2")
	if other.ask("hello") != "hello" {
		t.Fatalf("another client is not served: %s", other.errs)
	}
	refused("client2", "the daemon has 3 connections already, and connections allows no more")
	first.ask("exit 0")
	first.code(t)
	until(t, "there is room", func() bool {
		s := connectAs(t, c, "client2")
		return s.ask("hello") == "hello"
	})
	if other.ask("hello") != "hello" || second.ask("hello") != "hello" {
		t.Error("others were disturbed")
	}
}

// TestNoDescriptors brings a daemon to the end of its descriptors: everyone
// is served or told to try later, and it recovers.
func TestNoDescriptors(t *testing.T) {
	t.Parallel()
	for _, files := range []int{28, 29, 30, 31, 32, 34, 36, 40, 64} {
		dir := shortDir(t)
		cmd := exec.Command("sh", "-c", fmt.Sprintf("ulimit -n %d; exec %s as-daemon %s", files, self, dir))
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
		if line, _ := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
			t.Fatalf("%d descriptors: the daemon says %q", files, line)
		}
		served, refused := 0, 0
		var open []io.Closer
		for range 40 {
			conn, said, in := passRaw(t, filepath.Join(dir, "s", "client"))
			open = append(open, conn, in)
			switch {
			case said == "served":
				served++
			case strings.HasPrefix(said, "no 75 the daemon "):
				refused++
			default:
				t.Errorf("%d descriptors: %q after %d were served", files, said, served)
			}
		}
		for _, f := range open {
			f.Close()
		}
		until(t, "it serves again", func() bool {
			conn, said, in := passRaw(t, filepath.Join(dir, "s", "client"))
			conn.Close()
			in.Close()
			return said == "served"
		})
		t.Logf("%d descriptors: %d served, %d told to try later", files, served, refused)
		if served == 0 || refused == 0 {
			t.Errorf("%d descriptors: %d served, %d told to try later", files, served, refused)
		}
	}
}

// passRaw passes a connection and returns what comes first, an echo of the
// server or a word of the daemon's, with the socket and what holds it open.
func passRaw(t *testing.T, path string) (conn *net.UnixConn, said string, in *os.File) {
	t.Helper()
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	request, reply := pipe(t), pipe(t)
	conn.WriteMsgUnix([]byte("zfd1"), unix.UnixRights(int(request[0].Fd()), int(reply[1].Fd())), nil)
	request[0].Close()
	reply[1].Close()
	request[1].WriteString("hello\n")
	word := make(chan string, 2)
	go func() {
		defer reply[0].Close()
		if line, err := bufio.NewReader(reply[0]).ReadString('\n'); err == nil && line == "hello\n" {
			word <- "served"
		}
	}()
	go func() {
		line, err := bufio.NewReader(conn).ReadString('\n')
		if err == nil {
			word <- strings.TrimSpace(line)
		}
	}()
	return conn, await(t, word), request[1]
}

// TestBadEntry puts something in the place of one client's socket or lock:
// the daemon serves the others, says so, and serves this one, too, once it is
// gone.
func TestBadEntry(t *testing.T) {
	t.Parallel()
	for name, put := range map[string]func(t *testing.T, dir string) func() error{
		"directory": func(t *testing.T, dir string) func() error { return entry(t, os.Mkdir, dir, "client2") },
		"file": func(t *testing.T, dir string) func() error {
			return entry(t, func(path string, mode os.FileMode) error { return os.WriteFile(path, nil, mode) }, dir, "client2")
		},
		"link": func(t *testing.T, dir string) func() error {
			return entry(t, func(path string, _ os.FileMode) error { return os.Symlink("/etc/passwd", path) }, dir, "client2")
		},
		"lock directory": func(t *testing.T, dir string) func() error { return entry(t, os.Mkdir, dir, ".client2.lock") },
		"lock fifo": func(t *testing.T, dir string) func() error {
			return entry(t, func(path string, mode os.FileMode) error { return unix.Mkfifo(path, uint32(mode)) }, dir, ".client2.lock")
		},
		"held lock": func(t *testing.T, dir string) func() error {
			f, err := os.Create(filepath.Join(dir, ".client2.lock"))
			if err == nil {
				err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
			}
			if err != nil {
				t.Fatal(err)
			}
			return f.Close
		},
		"somebody listens": func(t *testing.T, dir string) func() error {
			l, err := net.Listen("unix", filepath.Join(dir, "client2"))
			if err != nil {
				t.Fatal(err)
			}
			return l.Close
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := conf(shortDir(t), "source2", "source")
			if err := os.MkdirAll(c.Global.SockDir, 0o700); err != nil {
				t.Fatal(err)
			}
			away := put(t, c.Global.SockDir)
			startConfig(t, c)
			if s := connect(t, c); s.ask("hello") != "hello" {
				t.Errorf("the other client is not served: %s", s.errs)
			}
			s, err := control.Get(t.Context(), c.Global.Control)
			if err != nil {
				t.Fatal(err)
			}
			if bad, good := s.Jobs[0], s.Jobs[1]; bad.State != control.Broken || !strings.Contains(bad.Problem, "cannot listen at") || good.State != control.Serving || good.Problem != "" {
				t.Errorf("status: %+v", s.Jobs)
			}
			if err := away(); err != nil {
				t.Fatal(err)
			}
			until(t, "it is served later", func() bool { return connectAs(t, c, "client2").ask("hello") == "hello" })
			if s, err := control.Get(t.Context(), c.Global.Control); err != nil || s.Jobs[0].State != control.Serving {
				t.Errorf("status afterwards: %+v, %v", s.Jobs, err)
			}
		})
	}
}

func entry(t *testing.T, put func(string, os.FileMode) error, dir, name string) func() error {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := put(path, 0o700); err != nil {
		t.Fatal(err)
	}
	return func() error { return os.Remove(path) }
}

// TestNoControl: without a control socket the daemon works all the same, and
// makes it when it can.
func TestNoControl(t *testing.T) {
	t.Parallel()
	for name, put := range map[string]func(dir string) error{
		"a directory in its place": func(dir string) error { return os.Mkdir(filepath.Join(dir, "control"), 0o700) },
		"an open directory":        func(dir string) error { return os.Chmod(dir, 0o755) },
	} {
		c := conf(shortDir(t), "source")
		dir := filepath.Dir(c.Global.Control)
		if err := errors.Join(os.Mkdir(dir, 0o700), put(dir)); err != nil {
			t.Fatal(err)
		}
		startConfig(t, c)
		if s := connect(t, c); s.ask("hello") != "hello" {
			t.Errorf("%s: not served: %s", name, s.errs)
		}
		os.Remove(c.Global.Control)
		os.Chmod(dir, 0o700)
		until(t, "the control socket is there", func() bool {
			_, err := control.Get(t.Context(), c.Global.Control)
			return err == nil
		})
	}
}

// TestNothingLeft: a daemon that can do nothing at all ends, and says why, a
// job a line.
func TestNothingLeft(t *testing.T) {
	t.Parallel()
	c := conf(shortDir(t), "source", "source2")
	if err := errors.Join(os.MkdirAll(c.Global.SockDir, 0o700), os.Chmod(c.Global.SockDir, 0o710)); err != nil {
		t.Fatal(err)
	}
	err := Run(t.Context(), Options{Config: c, Log: slog.New(slog.DiscardHandler), Started: time.Now()})
	var status interface{ ExitStatus() int }
	if err == nil || strings.Count(err.Error(), "others than its owner can enter directory") != 2 || !errors.As(err, &status) || status.ExitStatus() != 2 {
		t.Errorf("%v", err)
	}
	if _, err := os.Lstat(c.Global.Control); err == nil {
		t.Error("the control socket is still there")
	}
}
