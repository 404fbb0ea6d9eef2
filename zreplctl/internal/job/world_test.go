package job_test

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/zfssim/simhost"
)

var bin string // the programs, built once, and zfs and zpool for zfs-sim

func TestMain(m *testing.M) {
	if len(os.Args) > 3 && os.Args[1] == "as-user" {
		fmt.Fprintln(os.Stderr, asUser(os.Args[2], os.Args[3:]...))
		os.Exit(1)
	}
	if len(os.Args) > 3 && os.Args[1] == "measure" {
		os.Exit(measure(os.Args[2], os.Args[3:]...))
	}
	os.Exit(build(m))
}

// measure runs a program and writes into a file how much memory it had at
// most, in KiB.
func measure(file string, args ...string) int {
	c := exec.Command(args[0], args[1:]...)
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
	c.Run()
	usage, ok := c.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok || os.WriteFile(file, fmt.Append(nil, usage.Maxrss), 0o600) != nil {
		return 1
	}
	return c.ProcessState.ExitCode()
}

// realZFS is the real zfs(8) where it is to be used, and not the simulator:
// what $ZT_JOB_ZFS names. The pools a and b are then made on files, so that only
// one test can run, and $ZT_JOB_BIN holds the programs. It needs root and a
// machine to spare.
var realZFS = os.Getenv("ZT_JOB_ZFS")

func build(m *testing.M) int {
	if os.Getenv("GORACE") == "" { // or what this program plays would each wait a second at its end
		os.Setenv("GORACE", "atexit_sleep_ms=0")
	}
	if bin = cmp.Or(os.Getenv("ZT_JOB_BIN"), simhost.Built()); bin != "" {
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "zt-job")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	bin = dir
	if err := os.Chmod(dir, 0o755); err != nil { // some tests run them as another user
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	build := exec.Command("go", "build", "-buildvcs=false", "-o", dir+"/", "work")
	build.Dir = "../../.."
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "cannot build the programs: %v\n%s", err, out)
		return 1
	}
	for _, name := range []string{"zfs", "zpool"} {
		if err := os.Symlink("zfs-sim", filepath.Join(dir, name)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return m.Run()
}

// patience is how long a test waits for what has to happen, on a busy machine.
const patience = 2 * time.Minute

// world is two pools of one simulator, a and b, and a configuration whose
// connections are to this host itself.
type world struct {
	t   *testing.T
	dir string
	env []string // of all that it runs
}

const jobs = `
global: {rundir: DIR/run}
jobs:
- name: offer
  type: source
  serve: {type: stdinserver, client_identity: me}
  datasets: {"a<": ok, "a/secret<": "!"}
  snapshot_prefix: s
  shared_prefix: true
- name: offer_again
  type: source
  serve: {type: stdinserver, client_identity: other}
  datasets: {"a/x<": ok}
  snapshot_prefix: s
  shared_prefix: true
- name: fetch
  type: pull
  connect: {type: exec, command: [zreplctl, -config, DIR/c.yml, serve, me]}
  mapping: {"a<": b/back/a}
- name: fetch4
  type: pull
  parallel: 4
  connect: {type: exec, command: [zreplctl, -config, DIR/c.yml, serve, other]}
  mapping: {"a<": b/back4/a}
- name: mirror
  type: local
  mapping: {"a/x<": b/mirror/x}
  snapshot_prefix: s
  shared_prefix: true
- name: marks
  type: local
  cursor: bookmark
  mapping: {"a/x<": b/marks/x}
  snapshot_prefix: s
  shared_prefix: true
- name: sink
  type: push-sink
  serve: {type: stdinserver, client_identity: pusher}
  root: b/sink/pusher
- name: pushit
  type: push
  connect: {type: exec, command: [zreplctl, -config, DIR/c.yml, serve, pusher]}
  datasets: {"a/x<": ok}
  snapshot_prefix: s
  shared_prefix: true
`

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir()}
	w.write("c.yml", strings.ReplaceAll(jobs, "DIR", w.dir))
	if err := os.MkdirAll(w.path("sim"), 0o700); err != nil {
		t.Fatal(err)
	}
	w.write("sim/log", "")
	for _, pool := range []string{"a", "b"} {
		w.write(pool+".img", "")
		if err := os.Truncate(w.path(pool+".img"), 4<<30); err != nil {
			t.Fatal(err)
		}
		w.must("zpool", "create", "-R", w.path("mnt"), pool, w.path(pool+".img"))
		if realZFS != "" {
			t.Cleanup(func() { w.destroyPool(pool) })
		}
	}
	return w
}

// destroyPool tries for ten seconds: what was just read or killed may keep a real pool busy.
func (w *world) destroyPool(pool string) {
	w.t.Helper()
	for until := time.Now().Add(10 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		out, err := w.command("zpool", "destroy", "-f", pool).CombinedOutput()
		if err == nil {
			return
		}
		if time.Now().After(until) {
			w.t.Errorf("zpool destroy -f %s: %v\n%s", pool, err, out)
			return
		}
	}
}

func (w *world) path(name string) string { return filepath.Join(w.dir, name) }

func (w *world) write(name, text string) {
	w.t.Helper()
	if err := os.WriteFile(w.path(name), []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) command(args ...string) *exec.Cmd {
	path, real := bin+":"+os.Getenv("PATH"), cmp.Or(realZFS, filepath.Join(bin, "zfs"))
	where := map[string]string{"zfs": real, "zpool": filepath.Join(filepath.Dir(real), "zpool"), "sh": "/bin/sh"}
	c := exec.Command(cmp.Or(where[args[0]], filepath.Join(bin, args[0])), args[1:]...)
	c.Env = append(os.Environ(), "PATH="+path, "ZFS_SIM_ROOT="+w.path("sim"), "ZREPL_ZFS="+real)
	c.Env = append(c.Env, w.env...)
	return c
}

func (w *world) must(args ...string) string {
	w.t.Helper()
	out, err := w.command(args...).CombinedOutput()
	if err != nil {
		w.t.Fatalf("%q: %v\n%s", args, err, out)
	}
	return string(out)
}

// ctl runs zreplctl and returns its exit status and what it said.
func (w *world) ctl(args ...string) (int, string) {
	w.t.Helper()
	c := w.command(append([]string{"zreplctl", "-config", w.path("c.yml")}, args...)...)
	out, err := c.CombinedOutput()
	if c.ProcessState == nil {
		w.t.Fatal(err)
	}
	return c.ProcessState.ExitCode(), string(out)
}

// tried runs a job without snapshots and pruning, and returns its exit status.
func (w *world) tried(kind, name string) int {
	w.t.Helper()
	code, said := w.ctl(kind, "-skip", "snapshot,prune", name)
	w.t.Logf("%d %s", code, said)
	return code
}

// done runs a job that has to succeed, without snapshots and pruning.
func (w *world) done(kind, name string) string {
	w.t.Helper()
	code, said := w.ctl(kind, "-skip", "snapshot,prune", name)
	if code != 0 {
		w.t.Fatalf("%s %s: exit status %d\n%s", kind, name, code, said)
	}
	return said
}

func (w *world) lines(args ...string) []string {
	w.t.Helper()
	out := strings.TrimSpace(w.must(args...))
	if out == "" {
		return nil
	}
	return strings.Split(out, "\n")
}

// guids lists the snapshots of a dataset and all below it as relative name
// and guid, oldest first.
func (w *world) guids(root string) []string {
	var out []string
	for _, line := range w.lines("zfs", "list", "-Hp", "-r", "-t", "snapshot", "-o", "name,guid", root) {
		out = append(out, strings.TrimPrefix(line, root))
	}
	return out
}

// holds lists name and tag of all holds, sorted.
func (w *world) holds() []string {
	var out []string
	snaps := w.lines("zfs", "list", "-H", "-t", "snapshot", "-o", "name")
	for _, line := range w.lines(append([]string{"zfs", "holds", "-H"}, snaps...)...) {
		fields := strings.Split(line, "\t")
		out = append(out, fields[0]+" "+fields[1])
	}
	slices.Sort(out)
	return out
}

func (w *world) same(from, to string) {
	w.t.Helper()
	if a, b := w.guids(from), w.guids(to); !slices.Equal(a, b) {
		w.t.Errorf("%s has %q\n%s has %q", from, a, to, b)
	}
}

func (w *world) equal(what string, got []string, want ...string) {
	w.t.Helper()
	slices.Sort(want)
	if !slices.Equal(got, want) {
		w.t.Errorf("%s: %q, not %q", what, got, want)
	}
}

func (w *world) snapshot(names ...string) {
	w.t.Helper()
	for _, n := range names {
		w.must("zfs", "snapshot", "-r", "a@"+n)
	}
}

// tree makes a few datasets with some data.
func (w *world) tree() {
	for _, ds := range []string{"a/x", "a/x/y", "a/z", "a/secret"} {
		w.must("zfs", "create", ds)
	}
	w.must("zfs", "create", "-V", "10M", "a/v")
	w.fill("a/x", 1<<20)
}

// fill writes a file of n bytes into a filesystem.
func (w *world) fill(ds string, n int) {
	w.t.Helper()
	dir := strings.TrimSpace(w.must("zfs", "get", "-H", "-o", "value", "mountpoint", ds))
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(i*7) ^ byte(i>>8) ^ byte(i>>16)
	}
	if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("file%d", time.Now().UnixNano())), data, 0o600); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) configure(text string) {
	w.t.Helper()
	w.write("c.yml", strings.ReplaceAll(text, "DIR", w.dir))
}

// has holds the snapshots of a dataset against a list.
func (w *world) has(ds string, want ...string) {
	w.t.Helper()
	var got []string
	for _, name := range w.lines("zfs", "list", "-H", "-d", "1", "-t", "snapshot", "-o", "name", ds) {
		got = append(got, strings.TrimPrefix(name, ds+"@"))
	}
	if !slices.Equal(got, want) {
		w.t.Errorf("%s has %q, not %q", ds, got, want)
	}
}
