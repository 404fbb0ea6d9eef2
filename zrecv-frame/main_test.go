package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// bin holds the programs, built once; work is where each test works below.
var bin string

func TestMain(m *testing.M) {
	os.Exit(testMain(m))
}

func testMain(m *testing.M) int {
	if bin = os.Getenv("ZT_BIN"); bin != "" {
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "zrecv-frame-test")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	bin = dir
	build := exec.Command("go", "build", "-o", dir+"/", "../zsend-frame", "../zrecv-frame", "../lib/cmd/zstd-sim")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// place is a directory of its own, where programs run that can be told from
// those of other tests.
type place struct {
	t    *testing.T
	dir  string
	mark string
}

var places atomic.Int64

// patience is how long tests wait for what comes, also on a machine that is busy. It is
// less than what their programs sleep if nothing ends them.
const patience = 50 * time.Second

// newPlace has a file big of 12 MB in it. In the end none of the programs that
// ran in it may be left.
func newPlace(t *testing.T) *place {
	t.Helper()
	p := &place{t: t, dir: t.TempDir(), mark: fmt.Sprintf("ZFRAME_TEST=%d.%d", os.Getpid(), places.Add(1))}
	p.write("big", bytes.Repeat([]byte("0123456789abcdefghijklmnopqrstu\n"), 12_000_000/32))
	t.Cleanup(func() { p.nothingLeft(patience) })
	return p
}

func (p *place) write(name string, b []byte) {
	p.t.Helper()
	if err := os.WriteFile(filepath.Join(p.dir, name), b, 0o600); err != nil {
		p.t.Fatal(err)
	}
}

func (p *place) read(name string) string {
	b, _ := os.ReadFile(filepath.Join(p.dir, name))
	return string(b)
}

func (p *place) exists(name string) bool {
	_, err := os.Lstat(filepath.Join(p.dir, name))
	return err == nil
}

func (p *place) command(name string, args ...string) *exec.Cmd {
	c := exec.Command(name, args...)
	c.Dir = p.dir
	c.Env = append(os.Environ(), "PATH="+filepath.Join(p.dir, "tools")+":"+bin+":"+os.Getenv("PATH"), p.mark)
	return c
}

// run runs a shell script, in a process group of its own, for at most
// patience, and returns what it wrote on both outputs.
func (p *place) run(script string) string {
	p.t.Helper()
	out, wait := p.start(script)
	wait()
	return out.String()
}

// start starts a shell script; wait waits for its end.
func (p *place) start(script string) (out *bytes.Buffer, wait func()) {
	p.t.Helper()
	c := p.command("sh", "-c", script)
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out = new(bytes.Buffer)
	c.Stdout, c.Stderr = out, out
	c.WaitDelay = time.Second
	if err := c.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { syscall.Kill(-c.Process.Pid, syscall.SIGKILL) })
	done := make(chan error, 1)
	go func() { done <- c.Wait() }()
	return out, func() {
		p.t.Helper()
		select {
		case <-done:
		case <-time.After(patience):
			p.t.Errorf("hangs: %s\n%v", script, p.processes())
			syscall.Kill(-c.Process.Pid, syscall.SIGKILL)
			<-done
		}
	}
}

// process is one that runs in this place.
type process struct {
	pid, parent int
	line        string
}

func (p *place) processes() []process {
	var found []process
	entries, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, name := range entries {
		env, err := os.ReadFile(name)
		if err != nil || !bytes.Contains(env, []byte(p.mark+"\x00")) {
			continue
		}
		dir := filepath.Dir(name)
		pid, _ := strconv.Atoi(filepath.Base(dir))
		line, _ := os.ReadFile(filepath.Join(dir, "cmdline"))
		var state string
		var parent int
		stat, _ := os.ReadFile(filepath.Join(dir, "stat"))
		fmt.Sscan(string(stat[bytes.LastIndexByte(stat, ')')+1:]), &state, &parent) // proc_pid_stat(5)
		found = append(found, process{pid, parent, strings.ReplaceAll(string(line), "\x00", " ")})
	}
	return found
}

// signal sends a signal to those of our processes whose command line begins
// with some of these words, and returns how many there are. A child that is just
// being started looks like its parent, and does not count.
func (p *place) signal(sig syscall.Signal, words ...string) (n int) {
	all, lines := p.processes(), map[int]string{}
	for _, q := range all {
		lines[q.pid] = q.line
	}
	for _, q := range all {
		if slices.ContainsFunc(words, func(w string) bool { return strings.HasPrefix(q.line, w) }) {
			if lines[q.parent] != q.line {
				n++
			}
			syscall.Kill(q.pid, sig)
		}
	}
	return n
}

// nothingLeft waits until no process is left, and complains if some are.
func (p *place) nothingLeft(within time.Duration) {
	p.t.Helper()
	deadline := time.Now().Add(within)
	for {
		left := p.processes()
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			p.t.Errorf("left over: %v", left)
			p.signal(syscall.SIGKILL, "")
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// await waits until a file exists.
func (p *place) await(name string) {
	p.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if p.exists(name) {
			return
		}
	}
	p.t.Fatalf("%s does not come into being", name)
}
