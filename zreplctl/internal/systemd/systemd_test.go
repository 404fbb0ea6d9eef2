package systemd

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestTell(t *testing.T) {
	dir, err := os.MkdirTemp("", "s")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("WATCHDOG_USEC", "20000000")
	t.Setenv("WATCHDOG_PID", strconv.Itoa(os.Getpid()))
	m := Find()
	if os.Getenv("NOTIFY_SOCKET")+os.Getenv("WATCHDOG_USEC") != "" || m.Watchdog() != 20*time.Second {
		t.Errorf("%+v, and it is left in the environment", m)
	}
	if err := m.Tell(append(Reloading(), Status("one\ntwo"), Extend(time.Second))...); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 1000)
	n, err := l.Read(b)
	lines := strings.Split(string(b[:n]), "\n")
	if err != nil || len(lines) != 4 || lines[0] != "RELOADING=1" || lines[2] != "STATUS=one two" || lines[3] != "EXTEND_TIMEOUT_USEC=1000000" {
		t.Errorf("%q, %v", lines, err)
	}
	usec, err := strconv.ParseInt(strings.TrimPrefix(lines[1], "MONOTONIC_USEC="), 10, 64)
	if err != nil || usec <= 0 {
		t.Errorf("%q", lines[1])
	}
	l.Close()
	if err := m.Tell(Ready); err == nil {
		t.Error("nobody listens")
	}
	t.Setenv("NOTIFY_SOCKET", "relative")
	if m := Find(); m.There() || m.Watchdog() != 0 || m.Tell(Ready) != nil {
		t.Errorf("%+v", m)
	}
}

// TestSockets: what is meant for another process is not ours, and nothing is left
// for our children.
func TestSockets(t *testing.T) {
	for _, c := range [][2]string{{"1", "1"}, {"", ""}, {strconv.Itoa(os.Getpid()), "many"}, {strconv.Itoa(os.Getpid()), "0"}, {strconv.Itoa(os.Getpid()), "-1"}} {
		t.Setenv("LISTEN_PID", c[0])
		t.Setenv("LISTEN_FDS", c[1])
		t.Setenv("LISTEN_FDNAMES", "control")
		if got := Sockets(); len(got) != 0 {
			t.Errorf("%q: %d", c, len(got))
		}
		if left := os.Getenv("LISTEN_PID") + os.Getenv("LISTEN_FDS") + os.Getenv("LISTEN_FDNAMES"); left != "" {
			t.Errorf("%q is left", left)
		}
	}
}
