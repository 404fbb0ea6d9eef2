package job_test

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

const stallJobs = `
- {name: src, type: source, serve: {type: stdinserver, client_identity: ss}, datasets: {"a/x": ok}, snapshot_prefix: s, stall: 2s}
- {name: snk, type: push-sink, serve: {type: stdinserver, client_identity: sp}, root: b/spush, stall: 2s}
- {name: spull, type: pull, stall: 2s, mapping: {"a<": b/spull},
   connect: {type: exec, command: [zreplctl, -config, DIR/c.yml, serve, ss]}}
- {name: spush, type: push, stall: 2s, snapshot_prefix: s, datasets: {"a/x": ok},
   connect: {type: exec, command: [zreplctl, -config, DIR/c.yml, serve, sp]}}
- {name: slocal, type: local, stall: 2s, snapshot_prefix: s, mapping: {"a/x": b/slocal}}
`

// TestStall has zfs send, or zfs receive, do nothing for ever, from the
// beginning or in the middle. The run ends, says why and exits with 75,
// nothing is left running, and the next run completes.
func TestStall(t *testing.T) {
	t.Parallel()
	for _, job := range [][3]string{{"pull", "spull", "b/spull/x"}, {"push", "spush", "b/spush/a/x"}, {"local", "slocal", "b/slocal"}} {
		for _, verb := range []string{"send", "receive", "middle"} {
			t.Run(job[0]+" "+verb, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				w.extend(stallJobs)
				w.must("zfs", "create", "a/x")
				w.fill("a/x", 24<<20) // a slow stream of it lasts for 12 seconds
				w.snapshot("s1")
				switch verb {
				case "middle":
					w.write("sim/faults", "on=receive rate=2000000\n")
				default:
					w.write("sim/faults", "on="+verb+" hang\n")
				}
				c := w.command("zreplctl", "-config", w.path("c.yml"), job[0], "-skip", "snapshot,prune", job[1])
				var said strings.Builder
				c.Stdout, c.Stderr = &said, &said
				started := time.Now()
				if err := c.Start(); err != nil {
					t.Fatal(err)
				}
				if verb == "middle" {
					pid := w.find("zfs", " receive ")
					time.Sleep(2500 * time.Millisecond) // a slow stream is no stall
					stop(t, pid)
				}
				c.Wait()
				if code := c.ProcessState.ExitCode(); code != 75 || !strings.Contains(said.String(), "nothing of it moved for 2s") {
					t.Errorf("exit status %d: %s", code, said.String())
				}
				t.Logf("after %v", time.Since(started).Round(time.Millisecond))
				for end := time.Now().Add(patience); len(w.processes()) > 0; time.Sleep(20 * time.Millisecond) {
					if time.Now().After(end) {
						t.Fatalf("left running: %v", w.processes())
					}
				}
				w.write("sim/faults", "")
				w.done(job[0], job[1])
				w.same("a/x", job[2])
			})
		}
	}
}

// TestLateEnd has zfs receive work on for longer than stall once it has all of
// its stream: that is no stall, on neither side.
func TestLateEnd(t *testing.T) {
	t.Parallel()
	for _, job := range [][4]string{
		{"pull", "spull", "b/spull/x", "7s"},
		{"push", "spush", "b/spush/a/x", "7s"},
		{"local", "slocal", "b/slocal", "7s"},
		{"pull", "spull", "b/spull/x", "3s"}, // of each snapshot in a stream of several
	} {
		t.Run(job[0]+" "+job[3], func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.extend(stallJobs)
			w.must("zfs", "create", "a/x")
			w.fill("a/x", 3<<20)
			w.snapshot("s1")
			w.done(job[0], job[1])
			w.snapshot("s2")
			if job[3] == "3s" {
				w.snapshot("s3", "s4")
			}
			w.write("sim/faults", "on=receive linger="+job[3]+" from=1\n")
			started := time.Now()
			w.done(job[0], job[1])
			w.same("a/x", job[2])
			if took := time.Since(started); took < 5*time.Second {
				t.Errorf("after %v: it did not linger", took)
			}
		})
	}
}

// TestStallServer has clients stop reading, and stop writing, in the middle
// of a stream: the server ends them.
func TestStallServer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.extend(stallJobs)
	w.must("zfs", "create", "a/x")
	w.fill("a/x", 6<<20)
	w.snapshot("s1")
	guid, err := dataset.ParseGUID(strings.TrimSpace(w.must("zfs", "get", "-Hp", "-o", "value", "guid", "a/x@s1")))
	if err != nil {
		t.Fatal(err)
	}
	gone := func(h *hostile) {
		t.Helper()
		left := make(chan bool)
		go func() { h.server.Wait(); close(left) }()
		select {
		case <-left:
		case <-time.After(patience):
			t.Errorf("the server goes on: %v", w.processes())
		}
	}
	reader := w.attack("ss", true)
	defer reader.end()
	if _, _, err := reader.CallReceive(t.Context(), "send", transfer.SendRequest{Dataset: "a/x",
		To: dataset.Version{Kind: dataset.Snapshot, Name: "s1", GUID: guid}, Send: dataset.SendOptions{LargeBlocks: true}}, new(transfer.SendReply)); err != nil {
		t.Fatal(err)
	}
	w.must("zfs", "create", "b/spush")
	writer := w.attack("sp", true)
	defer writer.end()
	go writer.CallSend(t.Context(), "receive", transfer.ReceiveRequest{Dataset: "b/spush/x", To: guid, Name: "s1", Send: dataset.SendOptions{LargeBlocks: true}},
		func(ctx context.Context, out *os.File) error { <-ctx.Done(); return ctx.Err() }, new(transfer.Received))
	gone(reader)
	gone(writer)
	for _, line := range w.processes() {
		if strings.Contains(line, " send ") || strings.Contains(line, " receive ") {
			t.Errorf("still there: %s", line)
		}
	}
}

// TestLocalProgress counts what a local job moves.
func TestLocalProgress(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must("zfs", "create", "a/x")
	w.fill("a/x", 6<<20)
	w.snapshot("s1")
	w.write("sim/faults", "on=send rate=3000000\n")
	said := w.must("sh", "-c", `exec zreplctl -config "$0" local -skip snapshot,prune -progress-fd 3 mirror 3>&1 >/dev/null`, w.path("c.yml"))
	var seen []uint64
	for line := range strings.Lines(said) {
		var s struct{ Bytes uint64 }
		if err := json.Unmarshal([]byte(line), &s); err == nil && (len(seen) == 0 || seen[len(seen)-1] != s.Bytes) {
			seen = append(seen, s.Bytes)
		}
	}
	if len(seen) < 2 || seen[len(seen)-1] < 6<<20 {
		t.Errorf("bytes %d, of more than %d: %s", seen, 6<<20, said)
	}
}

func stop(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
}
