package daemon

import (
	"bytes"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/zrepl-tools/zrepl-tools/lib/transport"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/control"
)

func TestServe(t *testing.T) {
	t.Parallel()
	c, stop := start(t, "source")
	s := connect(t, c)
	if got := s.ask("hello"); got != "hello" {
		t.Errorf("answer %q; %s", got, s.errs)
	}
	if got := s.ask("files"); got != "6" { // 0, 1, 2, status, lifeline, and the runtime's own
		t.Logf("serve has %s descriptors", got)
	}
	s.ask("exit 7")
	if code := s.code(t); code != 7 {
		t.Errorf("exit status %d", code)
	}
	s = connect(t, c)
	s.in.Close()
	if code := s.code(t); code != 0 {
		t.Errorf("exit status %d after a proper end", code)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(c.Global.SockDir, "client")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
	s = connect(t, c)
	if code := s.code(t); code != 75 || !strings.Contains(s.errs.String(), "does zreplctl daemon run") {
		t.Errorf("without a daemon: exit status %d, %s", code, s.errs)
	}
}

// TestUnserved: where servers end before they serve, by a fault of this host,
// the job is broken until one serves again.
func TestUnserved(t *testing.T) {
	t.Parallel()
	c, _ := start(t, "source")
	problem := func() string {
		s, err := control.Get(t.Context(), c.Global.Control)
		if err != nil {
			t.Fatal(err)
		}
		return s.Jobs[0].Problem
	}
	s := connect(t, c)
	s.ask("say zreplctl: others can write to the folder")
	s.ask("exit 2")
	if code, got := s.code(t), problem(); code != 2 || !strings.Contains(got, "others can write to the folder") {
		t.Errorf("exit status %d, problem %q", code, got)
	}
	s = connect(t, c)
	s.ask("exit 1") // a client can cause that, and it proves nothing
	if code, got := s.code(t), problem(); code != 1 || got == "" {
		t.Errorf("exit status %d, problem %q", code, got)
	}
	s = connect(t, c)
	s.ask("run one")
	s.ask("exit 1")
	if code, got := s.code(t), problem(); code != 1 || got != "" {
		t.Errorf("exit status %d, problem %q", code, got)
	}
}

// TestOneDaemon: a second one finds the first and goes.
func TestOneDaemon(t *testing.T) {
	t.Parallel()
	c, _ := start(t, "source")
	err := Run(t.Context(), Options{Config: c})
	var status interface{ ExitStatus() int }
	if !errors.As(err, &status) || status.ExitStatus() != 75 {
		t.Errorf("a second daemon: %v", err)
	}
	s := connect(t, c)
	if s.ask("hello") != "hello" {
		t.Error("the first is disturbed")
	}
}

func TestLongPath(t *testing.T) {
	dir := filepath.Join(shortDir(t), strings.Repeat("x", 120))
	if _, err := transport.Listen(dir, "client"); err == nil || !strings.Contains(err.Error(), "bytes long") {
		t.Errorf("a long path: %v", err)
	}
}

// TestBadDescriptors: what a hostile client passes is refused with a reason,
// closed, and concerns nobody else.
func TestBadDescriptors(t *testing.T) {
	c, _ := start(t, "source")
	good := connect(t, c)
	good.ask("hello")
	before := openFiles()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	R, W, N := int(r.Fd()), int(w.Fd()), int(null.Fd())
	for name, fds := range map[string][]int{
		"none": {}, "one": {R}, "three": {R, W, R}, "swapped": {W, R}, "devices": {N, N}, "thirty": bytesOf(R, 30),
	} {
		conn, err := net.Dial("unix", filepath.Join(c.Global.SockDir, "client"))
		if err != nil {
			t.Fatal(err)
		}
		conn.(*net.UnixConn).WriteMsgUnix([]byte("zfd1"), unix.UnixRights(fds...), nil)
		var b bytes.Buffer
		b.ReadFrom(conn)
		conn.Close()
		if !strings.HasPrefix(b.String(), "no 1 bad descriptors: ") {
			t.Errorf("%s: the daemon says %q", name, b.String())
		}
	}
	until(t, "descriptors are closed", func() bool { return openFiles() <= before+3 })
	if good.ask("hello") != "hello" {
		t.Error("another client is disturbed")
	}
}

func bytesOf(fd, n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = fd
	}
	return all
}

// TestSilentClients connect and pass nothing; others are served.
func TestSilentClients(t *testing.T) {
	t.Parallel()
	c, _ := start(t, "source")
	var silent []net.Conn
	for range maxWaiting / 2 {
		conn, err := net.Dial("unix", filepath.Join(c.Global.SockDir, "client"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		silent = append(silent, conn)
	}
	s := connect(t, c)
	if s.ask("hello") != "hello" {
		t.Errorf("not served: %s", s.errs)
	}
	for _, conn := range silent { // not after they were sent away, either
		conn.SetReadDeadline(time.Now())
		if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("a silent one had to go first: %v", err)
			break
		}
	}
}

// TestManyConnections: a thousand, fifty at a time, leave nothing behind.
func TestManyConnections(t *testing.T) {
	c := conf(shortDir(t), "source")
	c.Global.Limits.ClientConnections = 64
	startConfig(t, c)
	total := 120
	if os.Getenv("ZT_HEAVY") != "" {
		total = 1000
	}
	first := connect(t, c)
	first.ask("exit 0")
	first.code(t)
	before := openFiles()
	var wg sync.WaitGroup
	numbers := make(chan int)
	for range 25 {
		wg.Go(func() {
			for range numbers {
				cmd := exec.Command(zstdinserver, "-sockdir", c.Global.SockDir, "client")
				in, out := pipe(t), pipe(t)
				cmd.Stdin, cmd.Stdout = in[0], out[1]
				if err := cmd.Start(); err != nil {
					t.Error(err)
					continue
				}
				in[0].Close()
				out[1].Close()
				in[1].WriteString("hello\n")
				in[1].Close()
				var b bytes.Buffer
				b.ReadFrom(out[0])
				out[0].Close()
				if err := cmd.Wait(); err != nil || b.String() != "hello\n" {
					t.Errorf("%v, %q", err, b.String())
				}
			}
		})
	}
	for i := range total {
		numbers <- i
	}
	close(numbers)
	wg.Wait()
	until(t, "descriptors are closed", func() bool { return openFiles() <= before })
	t.Logf("%d connections, %d descriptors before, %d after", total, before, openFiles())
}

func pipe(t *testing.T) [2]*os.File {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	return [2]*os.File{r, w}
}

// TestNewRun: a new run of a client ends what is left of its older run.
func TestNewRun(t *testing.T) {
	t.Parallel()
	c, _ := start(t, "source")
	old, fellow := connect(t, c), connect(t, c)
	old.ask("run first")
	old.ask("hang")
	fellow.ask("run first")
	silent := connect(t, c) // has not said which run it is of
	silent.ask("hello")
	newer := connect(t, c)
	newer.ask("run second")
	for _, s := range []*session{old, fellow} {
		if code := s.code(t); code != 128+int(syscall.SIGTERM) {
			t.Errorf("a connection of the older run ended with %d", code)
		}
	}
	more := connect(t, c)
	more.ask("run second")
	late := connect(t, c)
	late.ask("run first")
	if code := late.code(t); code != 128+int(syscall.SIGTERM) {
		t.Errorf("a late connection of the older run ended with %d", code)
	}
	for name, s := range map[string]*session{"silent": silent, "newer": newer, "more": more} {
		if s.ask("hello") != "hello" {
			t.Errorf("%s was ended", name)
		}
	}
}

// TestFrontKilled: when zstdinserver dies, so does what serves it.
func TestFrontKilled(t *testing.T) {
	t.Parallel()
	c, _ := start(t, "source")
	s := connect(t, c)
	s.ask("hang")
	pid := serverPID(t, c.Global.Control)
	s.cmd.Process.Kill()
	until(t, "serve ends", func() bool { return syscall.Kill(pid, 0) != nil })
}

func serverPID(t *testing.T, sockpath string) (pid int) {
	t.Helper()
	until(t, "a connection is seen", func() bool {
		s, err := control.Get(t.Context(), sockpath)
		if err != nil {
			t.Fatal(err)
		}
		if len(s.Jobs[0].Connections) == 0 {
			return false
		}
		pid = s.Jobs[0].Connections[0].PID
		return pid != 0
	})
	return pid
}

// TestEnd: the daemon takes all that it started with it, and clients may try
// again.
func TestEnd(t *testing.T) {
	t.Parallel()
	c, stop := start(t, "source")
	s := connect(t, c)
	s.ask("hang")
	pid := serverPID(t, c.Global.Control)
	if err := stop(); err != nil {
		t.Error(err)
	}
	if syscall.Kill(pid, 0) == nil {
		t.Error("serve lives")
	}
	if code := s.code(t); code != 75 {
		t.Errorf("exit status %d: %s", code, s.errs)
	}
}

// TestKilled: even kill -9 of the daemon leaves no server.
func TestKilled(t *testing.T) {
	t.Parallel()
	dir := shortDir(t)
	cmd := exec.Command(self, "as-daemon", dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	ready := make([]byte, 6)
	out.Read(ready)
	c := conf(dir, "source")
	s := connect(t, c)
	s.ask("hang")
	pid := serverPID(t, c.Global.Control)
	cmd.Process.Kill()
	cmd.Wait()
	until(t, "serve ends", func() bool { return syscall.Kill(pid, 0) != nil })
	if code := s.code(t); code != 75 || !strings.Contains(s.errs.String(), "the daemon went away") {
		t.Errorf("exit status %d: %s", code, s.errs)
	}
	// Its sockets are still there; the next daemon replaces them.
	startConfig(t, c)
	if s := connect(t, c); s.ask("hello") != "hello" {
		t.Error("no service after a restart")
	}
}
