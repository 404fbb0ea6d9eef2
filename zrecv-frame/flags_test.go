package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/child"
	"github.com/zrepl-tools/zrepl-tools/lib/frame"
)

// framed is a stream whose frames hold so many bytes each.
func framed(t *testing.T, data []byte, size int) []byte {
	t.Helper()
	var b bytes.Buffer
	w := frame.NewWriter(&b, frame.CRC32C)
	err := w.Header(frame.MakeHeader(frame.CRC32C))
	for err == nil && len(data) > 0 {
		n := min(size, len(data))
		err = w.Data(data[:n])
		data = data[n:]
	}
	if err == nil {
		err = w.Trailer(frame.Trailer{Status: frame.StatusOK})
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestUsageErrors(t *testing.T) {
	p := newPlace(t)
	for _, args := range []string{"zrecv-frame -expect-zfs from=3", "zrecv-frame -expect-zfs to=x", "zrecv-frame -expect-zfs to=1,chain", "zrecv-frame -expect-zfs from=1,to=2@a,to=3@b",
		"zrecv-frame -expect-zfs to=1@a cat", "zsend-frame -expect-zfs from=3", "zsend-frame -heartbeat -5s", "zrecv-frame -verify cat", "zrecv-frame -status-fd 77",
		"zrecv-frame -stall 3", "zsend-frame -checksum md5", "zrecv-frame -each 3 3</dev/null", "zsend-frame -each 3 -status-fd 2 cat 3</dev/null", "zsend-frame -rate 3Q", "zsend-frame -frobnicate"} {
		if said := p.run(args + " </dev/null; echo $?"); !strings.HasSuffix(said, "\n2\n") || !strings.Contains(said, "usage:") {
			t.Errorf("%s: %s", args, said)
		}
	}
}

// feed runs zrecv-frame with these arguments on a pipe of ours, and returns
// that and a way to wait for the exit status and the status line.
func (p *place) feed(args ...string) (w *os.File, wait func() (int, frame.Outcome)) {
	p.t.Helper()
	r, w, err := child.Pipe()
	if err != nil {
		p.t.Fatal(err)
	}
	sr, sw, err := child.Pipe()
	if err != nil {
		p.t.Fatal(err)
	}
	c := p.command(bin+"/zrecv-frame", append([]string{"-status-fd", "3"}, args...)...)
	c.Stdin, c.ExtraFiles = r, []*os.File{sw}
	if err := c.Start(); err != nil {
		p.t.Fatal(err)
	}
	r.Close()
	sw.Close()
	return w, func() (int, frame.Outcome) {
		p.t.Helper()
		timer := time.AfterFunc(patience, func() { p.t.Error("hangs"); c.Process.Kill() })
		defer timer.Stop()
		line, _ := io.ReadAll(sr)
		c.Wait()
		var o frame.Outcome
		if err := json.Unmarshal(line, &o); err != nil || o.Exit != c.ProcessState.ExitCode() {
			p.t.Errorf("exit status %d, status line %q: %v", c.ProcessState.ExitCode(), line, err)
		}
		return c.ProcessState.ExitCode(), o
	}
}

func TestStall(t *testing.T) {
	p := newPlace(t)
	b := framed(t, []byte("some data"), 100)
	for _, n := range []int{0, 5, 12, 60, len(b) - 1} {
		w, wait := p.feed("-stall", "100ms", "sh", "-c", "cat >out; echo finished >done")
		w.Write(b[:n])
		begin := time.Now()
		if code, o := wait(); code != 1 || o.Outcome != frame.Stall || p.exists("done") {
			t.Errorf("after %d bytes: exit status %d, %+v", n, code, o)
		}
		t.Logf("noticed after %v", time.Since(begin).Round(time.Millisecond))
		w.Close()
	}
	// One that is slow, or only beats, is alive; so is one whose consumer is slow.
	w, wait := p.feed("-stall", "1s", "sh", "-c", "sleep 2; cat >out")
	fw := frame.NewWriter(w, frame.None)
	fw.Header(frame.MakeHeader(frame.None))
	for range 13 {
		time.Sleep(100 * time.Millisecond)
		fw.Heartbeat()
	}
	go func() {
		fw.Data(bytes.Repeat([]byte("0123456789abcdef"), 3<<16))
		fw.Trailer(frame.Trailer{Status: frame.StatusOK})
		w.Close()
	}()
	if code, o := wait(); code != 0 || o.Outcome != frame.Done || o.Bytes != 3<<20 {
		t.Errorf("exit status %d, %+v", code, o)
	}
}

// The sender beats while its producer is silent, and keeps to its rate.
func TestHeartbeatAndRate(t *testing.T) {
	p := newPlace(t)
	p.run("zsend-frame -heartbeat 50ms sh -c 'sleep 0.5; echo hello' >framed")
	r := frame.NewReader(strings.NewReader(p.read("framed")))
	beats := 0
	for {
		f, err := r.Next()
		if err != nil {
			break
		}
		if f.Type == frame.TypeHeartbeat {
			beats++
		}
	}
	if beats < 3 {
		t.Errorf("%d heartbeats", beats)
	}
	begin := time.Now()
	said := p.run("head -c 1500000 big | zsend-frame -rate 1M | zrecv-frame -verify")
	if took := time.Since(begin); took < time.Second || took > patience || said != "" {
		t.Errorf("1.5 MB at 1 MiB a second took %v: %s", took, said)
	}
}

func TestProgress(t *testing.T) {
	p := newPlace(t)
	p.run("zsend-frame <big -progress-fd 3 3>sent | zrecv-frame -progress-fd 3 3>received >out")
	for _, name := range []string{"sent", "received"} {
		lines := strings.Split(strings.TrimSpace(p.read(name)), "\n")
		var last frame.Progress
		if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil || !last.Done || last.Bytes != uint64(len(p.read("big"))) {
			t.Errorf("%s: %q: %v", name, lines, err)
		}
	}
}

// When the parent that gave it a lifeline is gone, all ends, and the consumer
// does not take that for the end of its input.
func TestLifeline(t *testing.T) {
	p := newPlace(t)
	r, w, err := child.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	lr, lw, err := child.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	c := p.command(bin+"/zrecv-frame", "sh", "-c", "touch ready; cat >out; echo finished >done")
	c.Stdin, c.ExtraFiles = r, []*os.File{lr}
	c.Env = append(c.Env, "ZREPL_LIFELINE_FD=3")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	r.Close()
	lr.Close()
	p.await("ready")
	lw.Close()
	err = c.Wait()
	if _, failed := err.(*exec.ExitError); !failed || p.exists("done") {
		t.Errorf("it ended with %v", err)
	}
	p.nothingLeft(patience)
	w.Close()
}

// Descriptors that others share keep their flags, with commands too.
func TestSharedFlags(t *testing.T) {
	p := newPlace(t)
	for _, args := range [][]string{{"zrecv-frame"}, {"zrecv-frame", "cat"}, {"zrecv-frame", "-progress"}} {
		for _, nonblocking := range []bool{false, true} {
			var fds [2]int
			if err := syscall.Pipe(fds[:]); err != nil {
				t.Fatal(err)
			}
			syscall.SetNonblock(fds[0], nonblocking)
			flags := func() uintptr {
				n, _, _ := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fds[0]), syscall.F_GETFL, 0)
				return n
			}
			before := flags()
			go func() {
				syscall.Write(fds[1], framed(t, []byte("some data"), 3))
				syscall.Close(fds[1])
			}()
			// Started so that nothing here changes the flags, either.
			attr := &syscall.ProcAttr{Dir: p.dir, Env: os.Environ(), Files: []uintptr{uintptr(fds[0]), uintptr(fds[1]), 2}}
			out, err := os.Create(p.dir + "/out")
			if err != nil {
				t.Fatal(err)
			}
			attr.Files[1] = out.Fd()
			pid, err := syscall.ForkExec(bin+"/zrecv-frame", args, attr)
			if err != nil {
				t.Fatal(err)
			}
			var ws syscall.WaitStatus
			syscall.Wait4(pid, &ws, 0, nil)
			if ws.ExitStatus() != 0 || p.read("out") != "some data" || flags() != before {
				t.Errorf("%v: exit status %d, %q, flags %#x and %#x", args, ws.ExitStatus(), p.read("out"), before, flags())
			}
			out.Close()
			syscall.Close(fds[0])
		}
	}
}

// A command has a process group of its own, unless it may use the terminal.
func TestProcessGroup(t *testing.T) {
	p := newPlace(t)
	const group = `sh -c 'cut -d " " -f 5 /proc/$$/stat; cat >/dev/null'`
	said := strings.Fields(p.run(`cut -d " " -f 5 /proc/$$/stat; zsend-frame true >framed
		zrecv-frame ` + group + ` <framed; zrecv-frame -tty ` + group + ` <framed`))
	if len(said) != 3 || said[0] == said[1] || said[0] != said[2] {
		t.Errorf("the groups of the shell, the command, and the command with -tty: %v", said)
	}
}
