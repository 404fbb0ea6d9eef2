package job_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/zrepl-tools/zrepl-tools/lib/child"
	"github.com/zrepl-tools/zrepl-tools/lib/rpc"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// maxPeak is how much memory a peer can make one of our processes use.
const maxPeak = 64 << 20

// peak is the most memory that a process has had at once, in bytes.
func peak(t *testing.T, pid int) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	_, rest, found := strings.Cut(string(text), "VmHWM:")
	if err != nil || !found { // it has ended
		return 0
	}
	kib, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return kib << 10
}

// TestHostileBodies sends bodies that would take many times their size,
// before hello and after it: the server's memory stays small, and the client
// is told what was wrong.
func TestHostileBodies(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tree()
	fill := func(wrap, unit string, size int) json.RawMessage {
		n := (size - len(wrap)) / (len(unit) + 1)
		return json.RawMessage(fmt.Sprintf(wrap, strings.TrimSuffix(strings.Repeat(unit+",", n), ",")))
	}
	long := strings.Repeat("x", 200<<10)
	highest, bodies := 0, 0
	for _, greeted := range []bool{false, true} {
		for i, b := range []struct{ client, call, wrap, unit string }{
			{"me", "deferred", "[%s]", "{}"},
			{"me", "deferred", "[%s]", "null"},
			{"me", "deferred", "[%s]", `{"dataset":"a/x"}`},
			{"me", "protect", `{"hold":[%s]}`, "{}"},
			{"me", "uses", `{"datasets":[%s]}`, `""`},
			{"me", "uses", `{"datasets":[%s]}`, `"` + long + `"`},
			{"me", "list", `{"datasets":[%s]}`, `"a/x"`},
			{"me", "hello", `{"protocol":1,"run":"%s"}`, long},
			{"me", "unknown", "[%s]", "{}"},
			{"pusher", "targets", "[%s]", `""`},
			{"pusher", "since", "[%s]", "{}"},
			{"pusher", "protect", `{"unmark":[%s]}`, `"b/sink/pusher"`},
		} {
			size := 1 << 20
			switch {
			case greeted:
				size = 8<<20 - 100 // the longest body that is read to its end
			case i%4 == 0:
				size = 16 << 20
			}
			c := w.command("zreplctl", "-config", w.path("c.yml"), "serve", b.client)
			c.Args = append([]string{os.Args[0], "measure", w.path("peak")}, c.Args...)
			c.Args[3], c.Path = c.Path, os.Args[0]
			h := w.attackOn(c, greeted)
			err := h.ask(t.Context(), b.call, fill(b.wrap, b.unit, size))
			if remote := (*rpc.RemoteError)(nil); !errors.As(err, &remote) {
				t.Errorf("greeted %v, %s %.20q: %v", greeted, b.call, b.unit, err)
			}
			h.leave()
			text, _ := os.ReadFile(w.path("peak"))
			kib, err := strconv.Atoi(string(text))
			if kib > maxPeak>>10 || err != nil {
				t.Errorf("greeted %v, %s %.20q of %d bytes: %d MiB, %v", greeted, b.call, b.unit, size, kib>>10, err)
			}
			highest = max(highest, kib<<10)
			bodies++
		}
	}
	t.Logf("%d hostile bodies: the server's peak memory was at most %d MiB", bodies, highest>>20)
	w.done("pull", "fetch")
}

// startDaemon runs the world's daemon until the test ends.
func (w *world) startDaemon() (pid int) {
	w.t.Helper()
	r, ready, err := child.Pipe()
	if err != nil {
		w.t.Fatal(err)
	}
	c := w.command("zreplctl", "-config", w.path("c.yml"), "daemon", "-ready-fd", "3")
	c.ExtraFiles = []*os.File{ready}
	if err := c.Start(); err != nil {
		w.t.Fatal(err)
	}
	ready.Close()
	w.t.Cleanup(func() { c.Process.Signal(unix.SIGTERM); c.Wait(); r.Close() })
	if line, err := bufio.NewReader(r).ReadString('\n'); line != "ready\n" {
		w.t.Fatal(line, err)
	}
	return c.Process.Pid
}

// shortWorld is one whose sockets have short names.
func shortWorld(t *testing.T) *world {
	w := newWorld(t)
	dir, err := os.MkdirTemp("", "l")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	text := strings.ReplaceAll(jobs, "rundir: DIR/run", "rundir: "+dir+"/r")
	text = strings.ReplaceAll(text, "[zreplctl, -config, DIR/c.yml, serve, ", "[zstdinserver, -sockdir, "+dir+"/r/stdinserver, ")
	w.write("c.yml", strings.ReplaceAll(text, "DIR", w.dir))
	w.write("sockets", dir+"/r/stdinserver")
	return w
}

func (w *world) socket(id string) string {
	w.t.Helper()
	dir, err := os.ReadFile(w.path("sockets"))
	if err != nil {
		w.t.Fatal(err)
	}
	return filepath.Join(string(dir), id)
}

// rawClient is a connection whose bytes the test makes itself.
type rawClient struct {
	front   *net.UnixConn // the daemon's word comes here
	in, out *os.File
	ended   chan struct{}
	word    string // once ended: what the daemon said
}

func (w *world) passRaw(id string) *rawClient {
	w.t.Helper()
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: w.socket(id), Net: "unix"})
	if err != nil {
		w.t.Fatal(err)
	}
	theirIn, out, err := child.Pipe()
	if err != nil {
		w.t.Fatal(err)
	}
	in, theirOut, err := child.Pipe()
	if err != nil {
		w.t.Fatal(err)
	}
	conn.WriteMsgUnix([]byte("zfd1"), unix.UnixRights(int(theirIn.Fd()), int(theirOut.Fd())), nil)
	theirIn.Close()
	theirOut.Close()
	r := &rawClient{front: conn, in: in, out: out, ended: make(chan struct{})}
	go func() {
		defer close(r.ended)
		line, _ := bufio.NewReader(conn).ReadString('\n')
		r.word = strings.TrimSpace(line)
	}()
	return r
}

func (r *rawClient) close() { r.front.Close(); r.in.Close(); r.out.Close() }

// TestThousandConnections has a client make a thousand connections and send a
// byte a second on each: it has its share of them, for ten seconds, and other
// clients are served.
func TestThousandConnections(t *testing.T) {
	t.Parallel()
	w := shortWorld(t)
	w.tree()
	w.snapshot("s1")
	daemon := w.startDaemon()
	var all []*rawClient
	began := time.Now()
	for range 1000 {
		r := w.passRaw("me")
		defer r.close()
		all = append(all, r)
	}
	took := time.Since(began)
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		for i := 0; ; i++ {
			for _, r := range all {
				r.out.Write([]byte(requestStart[i%len(requestStart):][:1]))
			}
			select {
			case <-stop:
				return
			case <-time.After(time.Second):
			}
		}
	}()
	highest, servers := 0, map[int]bool{}
	look := func() bool {
		for _, pid := range children(daemon) {
			if p := peak(t, pid); p > 0 {
				servers[pid] = true
				highest = max(highest, p)
			}
		}
		return len(servers) >= 8
	}
	w.waitFor("servers have started", look)
	w.done("pull", "fetch4") // another client
	look()
	refused, served := 0, 0
	late := time.After(patience)
	for _, r := range all {
		select {
		case <-r.ended:
		case <-late:
			t.Fatalf("a connection is open after %s", time.Since(began))
		}
		switch {
		case strings.HasPrefix(r.word, "no 75 "):
			refused++
		case r.word == "end 75":
			served++
			said := make([]byte, 4096)
			n, _ := r.in.Read(said)
			if !strings.Contains(string(said[:n]), `no \"hello\" came within 10s`) {
				t.Errorf("it was told %q", said[:n])
			}
		default:
			t.Errorf("it was told %q", r.word)
		}
	}
	p := peak(t, daemon)
	t.Logf("1000 connections in %v: %d served and ended within %v, %d told to try later; peak memory of the daemon %d MiB, of one of %d servers %d MiB",
		took.Round(time.Millisecond), served, time.Since(began).Round(time.Second), refused, p>>20, len(servers), highest>>20)
	// Each of its 16 places is taken for ten seconds at least.
	if most := 16 * (2 + int(took/(10*time.Second))); served == 0 || served > most || refused+served != 1000 {
		t.Errorf("%d served, %d refused", served, refused)
	}
	if p > maxPeak || highest > maxPeak {
		t.Errorf("more than %d MiB", maxPeak>>20)
	}
	w.done("pull", "fetch") // and the same one
}

// requestStart is how a request begins: see zrpc(5).
const requestStart = "\x01\x01\x00\x00\x59\x00\x00\x00\xe1\xc4\xd4\xc4" + `{"zframe":1,"checksum":"crc32c","zrpc":1,`

// children lists the processes that a process has started.
func children(pid int) (pids []int) {
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, path := range lists {
		text, _ := os.ReadFile(path)
		for _, word := range strings.Fields(string(text)) {
			if n, err := strconv.Atoi(word); err == nil {
				pids = append(pids, n)
			}
		}
	}
	return pids
}

// TestFullClient takes all places of a client, of a forced command and of a
// daemon: a run is told so and exits with 75, as long as there is no room.
func TestFullClient(t *testing.T) {
	t.Parallel()
	for name, w := range map[string]*world{"serve": newWorld(t), "daemon": shortWorld(t)} {
		w.tree()
		w.snapshot("s1")
		text, err := os.ReadFile(w.path("c.yml"))
		if err != nil {
			t.Fatal(err)
		}
		w.write("c.yml", strings.Replace(string(text), "global: {", "global: {serve: {limits: {client_connections: 2}}, ", 1))
		var end []func()
		for _, id := range []string{"me", "me", "pusher", "pusher"} {
			if name == "daemon" {
				if end == nil {
					w.startDaemon()
				}
				r := w.passRaw(id)
				end = append(end, r.close)
				continue
			}
			h := w.attack(id, false)
			if err := h.Call(t.Context(), "hello", transfer.Hello{Protocol: transfer.Protocol}, new(transfer.Welcome)); err != nil {
				t.Fatal(err)
			}
			end = append(end, h.end)
		}
		if name == "daemon" {
			w.waitFor("2 connections of each", func() bool { _, said := w.ctl("status"); return strings.Count(said, "\tconnection\t") == 4 })
		}
		for kind, job := range map[string]string{"pull": "fetch", "push": "pushit"} {
			code, said := w.ctl(kind, "-skip", "snapshot,prune", "-retries", "0", job)
			if code != 75 || !strings.Contains(said, "this client has 2 connections already, and client_connections allows no more") {
				t.Errorf("%s, %s: exit status %d: %s", name, kind, code, said)
			}
		}
		for _, f := range end {
			f()
		}
		w.waitFor("there is room", func() bool { code, _ := w.ctl("pull", "-skip", "snapshot,prune", "fetch"); return code == 0 })
		w.done("push", "pushit")
	}
}

func (w *world) waitFor(what string, ok func() bool) {
	w.t.Helper()
	for began := time.Now(); !ok(); time.Sleep(50 * time.Millisecond) {
		if time.Since(began) > patience {
			w.t.Fatalf("waited for %v: %s", patience, what)
		}
	}
}

// TestLookerCannotAct tries all that changes something on a connection that
// said hello without a run, as `zreplctl plan` does.
func TestLookerCannotAct(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tree()
	w.snapshot("s1")
	before := w.everything()
	for _, a := range []struct {
		client, call string
		in           any
	}{
		{"me", "protect", transfer.Holds{Hold: []transfer.Snap{{Dataset: "a/x", Name: "s1"}}}},
		{"me", "send", transfer.SendRequest{Dataset: "a/x"}},
		{"pusher", "protect", transfer.Holds{Unmark: []string{"b/sink/pusher"}}},
		{"pusher", "placeholder", transfer.Placeholder{Dataset: "b/sink/pusher/new"}},
		{"pusher", "abort", transfer.Name{Dataset: "b/sink/pusher"}},
		{"pusher", "receive", transfer.ReceiveRequest{Dataset: "b/sink/pusher/new", To: 1, Name: "s1"}},
	} {
		h := w.attack(a.client, false)
		if err := h.Call(t.Context(), "hello", transfer.Hello{Protocol: transfer.Protocol}, new(transfer.Welcome)); err != nil {
			t.Fatal(err)
		}
		if err := h.ask(t.Context(), a.call, a.in); err == nil || !strings.Contains(err.Error(), "may only look") {
			t.Errorf("%s %s: %v", a.client, a.call, err)
		}
		h.end()
	}
	if after := w.everything(); strings.Join(before, "\n") != strings.Join(after, "\n") {
		t.Error("something changed")
	}
	if code, said := w.ctl("plan", "fetch"); code != 0 {
		t.Errorf("plan: %d: %s", code, said)
	}
}

// TestBadState puts directories in the place of one client's and one job's
// files of the run directory: everything else goes on.
func TestBadState(t *testing.T) {
	t.Parallel()
	w := shortWorld(t)
	w.tree()
	w.snapshot("s1")
	rundir := filepath.Dir(filepath.Dir(w.socket("me")))
	if err := os.Mkdir(rundir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"me.client", "mirror.lock", "mirror.json"} {
		if err := os.Mkdir(filepath.Join(rundir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	w.startDaemon()
	for kind, job := range map[string]string{"pull": "fetch", "local": "mirror"} {
		if code, said := w.ctl(kind, "-skip", "snapshot,prune", "-retries", "0", job); code == 0 || code == 2 {
			t.Errorf("%s: exit status %d: %s", job, code, said)
		}
	}
	w.done("pull", "fetch4")
	w.done("local", "marks")
	w.done("push", "pushit")
	if code, said := w.ctl("status"); code != 0 || !strings.Contains(said, "fetch4") {
		t.Errorf("status: %d: %s", code, said)
	}
}
