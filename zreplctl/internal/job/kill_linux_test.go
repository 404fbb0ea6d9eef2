package job_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// processes lists those that run in this world, by number, with their command
// lines.
func (w *world) processes() map[int]string {
	w.t.Helper()
	all := map[int]string{}
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		env, err := os.ReadFile(dir + "/environ")
		if err != nil || !bytes.Contains(env, []byte("ZFS_SIM_ROOT="+w.path("sim")+"\x00")) {
			continue
		}
		line, err := os.ReadFile(dir + "/cmdline")
		if err != nil || len(line) == 0 {
			continue
		}
		pid, _ := strconv.Atoi(filepath.Base(dir))
		all[pid] = strings.ReplaceAll(string(line), "\x00", " ")
	}
	return all
}

// find waits for a process of a program, the first word, whose command line
// holds the others. A child that is just being started looks like its parent, and is not meant.
func (w *world) find(words ...string) int {
	w.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		all := w.processes()
	next:
		for pid, line := range all {
			if program, _, _ := strings.Cut(line, " "); filepath.Base(program) != words[0] {
				continue
			}
			for _, word := range words[1:] {
				if !strings.Contains(line, word) {
					continue next
				}
			}
			if all[parentOf(pid)] == line {
				continue
			}
			return pid
		}
	}
	w.t.Fatalf("no process %v among %v", words, w.processes())
	return 0
}

// parentOf returns the parent of a process, 0 if that has ended.
func parentOf(pid int) (parent int) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	var state string
	rest := stat[bytes.LastIndexByte(stat, ')')+1:] // proc_pid_stat(5)
	fmt.Sscan(string(rest), &state, &parent)
	return parent
}

// receives waits for a zfs receive whose command line holds the words and that has
// read some of its stream.
func (w *world) receives(words ...string) {
	w.t.Helper()
	const some = 256 << 10
	io := fmt.Sprintf("/proc/%d/io", w.find(append([]string{"zfs", " receive "}, words...)...))
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		said, err := os.ReadFile(io)
		if err != nil {
			w.t.Fatalf("zfs receive %v has ended: %v", words, err)
		}
		var read int
		if fmt.Sscanf(string(said), "rchar: %d", &read); read >= some {
			return
		}
	}
	w.t.Fatalf("zfs receive %v reads nothing", words)
}

// sends waits for a zfs send whose command line holds the words and that has
// written something: before, what it names may be gone when it looks.
func (w *world) sends(words ...string) {
	w.t.Helper()
	io := fmt.Sprintf("/proc/%d/io", w.find(append([]string{"zfs", " send "}, words...)...))
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		said, err := os.ReadFile(io)
		if err != nil {
			w.t.Fatalf("zfs send %v has ended: %v", words, err)
		}
		if !bytes.Contains(said, []byte("wchar: 0\n")) {
			return
		}
	}
	w.t.Fatalf("zfs send %v writes nothing", words)
}

// server finds the server that the stream comes from: another
// may be there, which holds snapshots meanwhile.
func (w *world) server() int {
	w.t.Helper()
	parent := parentOf(w.find("zsend-frame"))
	if line := w.processes()[parent]; !strings.Contains(line, " serve me") {
		w.t.Fatalf("zsend-frame is a child of %q", line)
	}
	return parent
}

// TestKill kills each program of a pull in the middle of a stream. What is
// left ends by itself, the pull says so in one line, and the next one
// completes.
func TestKill(t *testing.T) {
	t.Parallel()
	for _, victim := range []struct {
		name   string
		words  []string
		status int // of the pull; -1: it is the victim
		says   string
	}{
		{"zrecv-frame", []string{"zrecv-frame"}, 1, "zrecv-frame: killed by signal 9"},
		{"zfs receive", []string{"zfs", " receive "}, 1, "zfs receive: killed by SIGKILL"},
		{"zfs send", []string{"zfs", " send ", "a/x@s1"}, 1, "zfs send on the sender: killed by SIGKILL"},
		{"zsend-frame", []string{"zsend-frame"}, 75, "the stream was cut"},
		{"serve", []string{"zreplctl", " serve me"}, 75, "cannot run job \"fetch\": "}, // zsend-frame may say so, or be cut off
		{"pull", []string{"zreplctl", " pull "}, -1, ""},
	} {
		t.Run(victim.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.tree()
			w.fill("a/x", 8<<20)
			w.snapshot("s1")
			w.write("sim/faults", "on=send match=a/x@s1 rate=1000000\n")
			run := w.command("zreplctl", "-config", w.path("c.yml"), "pull", "-retries", "0", "-skip", "prune", "fetch")
			var said bytes.Buffer
			run.Stderr, run.Stdout = &said, &said
			if err := run.Start(); err != nil {
				t.Fatal(err)
			}
			w.find("zfs", " send ", "a/x@s1")
			w.receives("b/back/a/x@s1")
			pid := w.find(victim.words...)
			if victim.name == "serve" {
				pid = w.server()
			}
			syscall.Kill(pid, syscall.SIGKILL)
			begun := time.Now()
			run.Wait()
			for len(w.processes()) > 0 && time.Since(begun) < patience {
				time.Sleep(20 * time.Millisecond)
			}
			if left := w.processes(); len(left) > 0 {
				t.Errorf("after %v there are still %v", time.Since(begun), left)
			}
			t.Logf("%s: the rest ended after %v: %s", victim.name, time.Since(begun).Round(time.Millisecond), strings.TrimSpace(said.String()))
			if code := run.ProcessState.ExitCode(); victim.status >= 0 && code != victim.status {
				t.Errorf("exit status %d, not %d", code, victim.status)
			}
			if victim.status >= 0 {
				text := strings.Replace(said.String(), "zreplctl: cannot replicate \"a/x/y\": \"b/back/a/x\" above failed\n", "", 1)
				if n := strings.Count(text, "\n"); n != 1 || !strings.Contains(text, victim.says) {
					t.Errorf("says %q, not %q", text, victim.says)
				}
			}
			w.write("sim/faults", "")
			w.done("pull", "fetch")
			w.same("a/x", "b/back/a/x")
			if h := fmt.Sprint(w.holds()); !strings.Contains(h, "b/back/a/x@s1 zreplctl_last_fetch") {
				t.Errorf("holds %s", h)
			}
		})
	}
}

// TestReconnect loses the link twice within a run, which goes on where it was.
func TestReconnect(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tree()
	w.fill("a/x", 12<<20)
	w.snapshot("s1")
	w.write("sim/faults", "on=send match=a/x@s1 rate=1500000\non=send match=-t rate=1500000\n")
	run := w.command("zreplctl", "-config", w.path("c.yml"), "pull", "-skip", "prune", "fetch")
	var said bytes.Buffer
	run.Stderr, run.Stdout = &said, &said
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	w.find("zfs", " send ", "a/x@s1")
	w.receives("b/back/a/x@s1")
	syscall.Kill(w.server(), syscall.SIGKILL)
	w.find("zfs", " send ", " -t ")
	time.Sleep(500 * time.Millisecond)
	syscall.Kill(w.find("zsend-frame"), syscall.SIGKILL)
	if err := run.Wait(); err != nil {
		t.Errorf("%v: %s", err, said.String())
	}
	if n := strings.Count(said.String(), "trying again in "); n != 2 {
		t.Errorf("tried again %d times: %s", n, said.String())
	}
	w.same("a/x", "b/back/a/x")
	w.equal("holds of the dataset", slices.DeleteFunc(w.holds(), func(h string) bool { return !strings.Contains(h, "a/x@") }),
		"a/x@s1 zreplctl_source_me", "b/back/a/x@s1 zreplctl_last_fetch")
}

// TestTerminate stops a pull by a signal: it ends what it started, at once.
func TestTerminate(t *testing.T) {
	t.Parallel()
	for _, kind := range [][2]string{{"pull", "fetch"}, {"local", "mirror"}, {"push", "pushit"}} {
		w := newWorld(t)
		w.tree()
		w.fill("a/x", 8<<20)
		w.snapshot("s1")
		w.write("sim/faults", "on=send match=a/x@s1 wait=1000000\n")
		run := w.command("zreplctl", "-config", w.path("c.yml"), kind[0], "-skip", "snapshot,prune", kind[1])
		var said bytes.Buffer
		run.Stderr = &said
		if err := run.Start(); err != nil {
			t.Fatal(err)
		}
		w.find("zfs", " receive ", "/x@s1")
		run.Process.Signal(syscall.SIGTERM)
		begun := time.Now()
		run.Wait()
		if code := run.ProcessState.ExitCode(); code != 128+int(syscall.SIGTERM) || strings.Count(said.String(), "\n") != 1 {
			t.Errorf("%s: exit status %d: %s", kind[0], code, said.String())
		}
		for len(w.processes()) > 0 && time.Since(begun) < patience {
			time.Sleep(20 * time.Millisecond)
		}
		if left := w.processes(); len(left) > 0 {
			t.Errorf("%s: after %v there are still %v", kind[0], time.Since(begun), left)
		}
		t.Logf("%s: over after %v: %s", kind[0], time.Since(begun).Round(time.Millisecond), strings.TrimSpace(said.String()))
		w.write("sim/faults", "")
		w.done(kind[0], kind[1])
	}
}
