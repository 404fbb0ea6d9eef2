package daemon

import (
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/control"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/systemd"
)

// TestManager: systemd hears that the daemon is ready, how it is, that it
// reloads and is ready again, that it lives, and that it stops.
func TestManager(t *testing.T) {
	dir := shortDir(t)
	path := filepath.Join(dir, "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("WATCHDOG_USEC", "200000")
	hear := func(want string) {
		t.Helper()
		l.SetReadDeadline(time.Now().Add(patience))
		b := make([]byte, 1000)
		for {
			n, err := l.Read(b)
			if err != nil {
				t.Fatalf("waited for %q: %v", want, err)
			}
			if strings.Contains(string(b[:n]), want) {
				return
			}
		}
	}
	s := newSource()
	s.set(conf(dir, "good", "bad"), "", nil)
	_, stop := startWith(t, Options{Config: conf(dir, "good"), Read: s.read, Hangup: s.hangup, Manager: systemd.Find()})
	hear("READY=1")
	hear("STATUS=1 job, 0 running")
	s.hangup <- syscall.SIGHUP
	hear("RELOADING=1\nMONOTONIC_USEC=")
	hear("READY=1")
	hear("STATUS=2 jobs, 0 running")
	hear("WATCHDOG=1")
	hear("WATCHDOG=1")
	if err := stop(); err != nil {
		t.Error(err)
	}
	hear("STOPPING=1\nEXTEND_TIMEOUT_USEC=")
}

// TestLog: a run's start and end are in the log, and an error that stays the same
// is there once.
func TestLog(t *testing.T) {
	t.Parallel()
	var log safeText
	c := conf(shortDir(t), "bad", "good", "source")
	startWith(t, Options{Config: c, Log: slog.New(slog.NewTextHandler(&log, nil))})
	for _, name := range []string{"bad", "bad", "bad", "good"} {
		if _, handled, err := control.RunJob(t.Context(), c.Global.Control, control.Request{Job: name, Config: c.Path}, control.Follower{Stdout: io.Discard, Stderr: io.Discard}); !handled || err != nil {
			t.Fatal(handled, err)
		}
	}
	s := connect(t, c)
	s.ask("run 1")
	s.ask("call send")
	s.ask("exit 0")
	s.code(t)
	idle := connect(t, c)
	idle.ask("exit 0")
	idle.code(t)
	until(t, "the connection is in the log", func() bool { return strings.Contains(log.String(), "a client's session has ended") })
	for text, times := range map[string]int{
		`msg="a run begins" job=bad asked=true`: 3, `it broke`: 2, // the line, and the end of the run
		`msg="a run has failed" job=bad status=1`: 1, `msg="a run has failed as the one before"`: 2, "mend it": 1,
		`msg="a run has ended" job=good status=0`: 1, "bytes=7 datasets=1 moved=1": 1,
		`msg="a client's session has ended" job=source client=client run=1 bytes=0 streams=1`: 1, "streams=1": 1,
	} {
		if n := strings.Count(log.String(), text); n != times {
			t.Errorf("%q is there %d times, not %d", text, n, times)
		}
	}
	if t.Failed() {
		t.Log(log.String())
	}
}
