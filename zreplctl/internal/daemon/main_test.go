package daemon

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/child"
	"github.com/zrepl-tools/zrepl-tools/lib/zfssim/simhost"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/control"
)

var (
	zstdinserver string // the path of the real one
	self         string // this program, to play the daemon's children
)

// TestMain is zreplctl, too: the daemon's children are this program.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 {
		switch os.Args[1] {
		case "serve":
			os.Exit(fakeServe())
		case "pull", "prune", "autosnap":
			os.Exit(fakeRun(os.Args[1], os.Args[2]))
		case "as-daemon":
			os.Exit(asDaemon(os.Args[2]))
		case "as-fleet":
			os.Exit(asFleet(os.Args[2]))
		case "as-glances":
			asGlances(os.Args[2])
			os.Exit(0)
		}
	}
	dir, err := os.MkdirTemp("", "daemon")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := 1
	if err := programs(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
	} else {
		code = m.Run()
	}
	os.RemoveAll(dir)
	os.Exit(code)
}

// programs finds zstdinserver and self, or builds them into a folder.
func programs(dir string) (err error) {
	if self, err = simhost.Self(dir); err != nil {
		return err
	}
	if built := simhost.Built(); built != "" {
		zstdinserver = filepath.Join(built, "zstdinserver")
		return nil
	}
	zstdinserver = filepath.Join(dir, "zstdinserver")
	build := exec.Command("go", "build", "-o", zstdinserver, "github.com/zrepl-tools/zrepl-tools/zstdinserver")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("cannot build zstdinserver: %w: %s", err, out)
	}
	return nil
}

// fakeServe obeys a client's lines: `run ID` and `call NAME` go to the
// status, `exit N` ends it, `hang` waits for ever, and anything else comes
// back.
func fakeServe() int {
	child.Watch(func() { os.Exit(99) })
	status := os.NewFile(3, "status")
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		word, rest, _ := strings.Cut(in.Text(), " ")
		switch word {
		case "run", "call":
			fmt.Fprintf(status, "{%q:%q}\n", word, rest)
		case "say":
			fmt.Fprintln(os.Stderr, rest)
		case "exit":
			n := 0
			fmt.Sscan(rest, &n)
			return n
		case "hang":
			fmt.Println("hanging")
			select {}
		case "files":
			fmt.Println(openFiles())
			continue
		case "text":
			text, _ := control.Inherited()
			fmt.Printf("%s\n", text)
			continue
		}
		fmt.Println(in.Text())
	}
	return 0
}

// fakeRun is a run of a job; the job's name says how it goes.
func fakeRun(step, job string) int {
	if dir := os.Getenv(fleetEnv); dir != "" {
		return fleetRun(dir, job)
	}
	fmt.Println("output of", step)
	switch job {
	case "good":
		io.WriteString(os.NewFile(4, "progress"), `{"started":"2026-01-02T03:04:05Z","bytes":7,"datasets":[{"target":"p/a","state":"done","steps":1,"done":1,"bytes":7,"behind":0}]}`+"\n")
		return 0
	case "bad":
		fmt.Fprintln(os.Stderr, "zreplctl: cannot pull \"bad\": it broke\nzreplctl: hint: mend it")
		io.WriteString(os.NewFile(3, "status"), `{"status":1,"error":"cannot pull \"bad\": it broke"}`+"\n")
		return 1
	case "killed", "stopped":
		io.WriteString(os.NewFile(4, "progress"), `{"bytes":7,"datasets":[{"target":"p/a","state":"sending"},{"target":"p/b","state":"waiting"},{"target":"p/c","state":"done"}]}`+"\n")
		time.Sleep(50 * time.Millisecond) // the progress is read
		signal := map[string]syscall.Signal{"killed": syscall.SIGKILL, "stopped": syscall.SIGTERM}[job]
		syscall.Kill(os.Getpid(), signal)
		select {}
	case "long":
		term := make(chan os.Signal, 1)
		signal.Notify(term, syscall.SIGTERM)
		fmt.Println("begun")
		<-term
		return 143
	}
	return 0
}

// asDaemon runs a daemon in a process of its own, with a source job.
func asDaemon(dir string) int {
	self, _ := os.Executable()
	c := conf(dir, "source")
	c.Global.Limits.ClientConnections = 1000
	c.Global.Limits.Connections = 1000
	err := Run(context.Background(), Options{Config: c, Program: self, PID: os.Getpid(),
		Log: slog.New(slog.NewTextHandler(os.Stderr, nil)), Ready: func() { fmt.Println("ready") }})
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// conf is a configuration with jobs of these names or types.
func conf(dir string, jobs ...string) *config.Config {
	c := &config.Config{Path: filepath.Join(dir, "zreplctl.yml"), Global: config.Global{RunDir: dir,
		Control: filepath.Join(dir, "c", "control"), SockDir: filepath.Join(dir, "s")}}
	for _, name := range jobs {
		j := &config.Job{Name: name, Type: config.Pull}
		if id, ok := map[string]string{"source": "client", "source2": "client2"}[name]; ok {
			j.Type, j.Serve = config.Source, &config.Serve{Type: "stdinserver", Clients: []string{id}}
		}
		c.Jobs = append(c.Jobs, j)
	}
	return c
}

// start runs a daemon until the test ends.
func start(t *testing.T, jobs ...string) (c *config.Config, stop func() error) {
	t.Helper()
	return startConfig(t, conf(shortDir(t), jobs...))
}

func startConfig(t *testing.T, c *config.Config) (*config.Config, func() error) {
	t.Helper()
	return startWith(t, Options{Config: c})
}

// startWith runs a daemon with these options, and fills in the others.
func startWith(t *testing.T, o Options) (*config.Config, func() error) {
	t.Helper()
	c := o.Config
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan struct{}), make(chan error, 1)
	o.Program, o.Started, o.Retry, o.Ready = self, time.Now(), 50*time.Millisecond, func() { close(ready) }
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	go func() { ended <- Run(ctx, o) }()
	select {
	case <-ready:
	case err := <-ended:
		cancel()
		t.Fatalf("the daemon ended: %v", err)
	}
	stop := func() error {
		cancel()
		err := await(t, ended)
		ended <- err
		return err
	}
	t.Cleanup(func() { stop() })
	return c, stop
}

// shortDir is one whose name leaves room for a socket's.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "d")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// patience is how long tests wait for what comes, also on a machine that is busy.
const patience = 2 * time.Minute

func await[T any](t *testing.T, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("waited for %s", patience)
		panic("unreachable")
	}
}

// until waits for something to become true.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for began := time.Now(); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Since(began) > patience {
			t.Fatalf("waited for %s: %s", patience, what)
		}
	}
}

// heard is a writer that waits for a text.
type heard struct {
	text string
	done chan struct{}
	said strings.Builder
}

func (h *heard) Write(p []byte) (int, error) {
	before := strings.Contains(h.said.String(), h.text)
	h.said.Write(p)
	if !before && strings.Contains(h.said.String(), h.text) {
		close(h.done)
	}
	return len(p), nil
}

// openFiles counts this process's descriptors.
func openFiles() int {
	entries, err := os.ReadDir("/dev/fd")
	if err != nil {
		return -1
	}
	return len(entries) - 1 // but for the one that reads the directory
}

// session is one run of zstdinserver.
type session struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	out   *bufio.Reader
	errs  *strings.Builder
	ended chan struct{}
}

func connect(t *testing.T, c *config.Config) *session { t.Helper(); return connectAs(t, c, "client") }

func connectAs(t *testing.T, c *config.Config, id string) *session {
	t.Helper()
	s := &session{cmd: exec.Command(zstdinserver, "-sockdir", c.Global.SockDir, id), errs: &strings.Builder{}, ended: make(chan struct{})}
	s.cmd.Stderr = s.errs
	in, err := s.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	// Not StdoutPipe: Wait would close it under the reader.
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	s.cmd.Stdout = w
	s.in, s.out = in, bufio.NewReader(r)
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	go func() { s.cmd.Wait(); close(s.ended) }()
	t.Cleanup(func() { s.cmd.Process.Kill(); <-s.ended; r.Close() })
	return s
}

// ask sends a line and returns the answer, "" at the end.
func (s *session) ask(line string) string {
	io.WriteString(s.in, line+"\n")
	answer, _ := s.out.ReadString('\n')
	return strings.TrimSuffix(answer, "\n")
}

func (s *session) code(t *testing.T) int {
	t.Helper()
	await(t, s.ended)
	return s.cmd.ProcessState.ExitCode()
}

// safeText is a buffer that is read while it is written.
type safeText struct {
	mu   sync.Mutex
	text strings.Builder
}

func (s *safeText) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *safeText) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}
