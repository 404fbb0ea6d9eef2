package crash

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/zfssim"
	"github.com/zrepl-tools/zrepl-tools/lib/zfssim/simhost"
)

var (
	bin  string // the programs, built once
	self string // this program, to play zfs and a relay
)

// realZFS is the real zfs(8) where it is to be used, and not the simulator:
// what $ZT_CRASH_ZFS names. The pools src and dst are then made on files, and
// $ZT_CRASH_BIN holds the programs. It needs root and a machine to spare.
var realZFS = os.Getenv("ZT_CRASH_ZFS")

func run(m *testing.M) int {
	if realZFS != "" {
		datasets, sizes = datasets[:2], []int{20000, 6000000} // a virtual machine is slow
	}
	dir, err := os.MkdirTemp("", "zt-crash-bin")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if self, err = simhost.Self(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if bin = cmp.Or(os.Getenv("ZT_CRASH_BIN"), simhost.Built()); bin != "" {
		return m.Run()
	}
	bin = dir
	build := exec.Command("go", "build", "-buildvcs=false", "-o", dir+"/", "work")
	build.Dir = "../../.." // the workspace
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "cannot build the programs: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// A world is two hosts with a pool each, src and dst, on one simulator, in one
// folder. Each host has a wrapper of zfs of its own.
type world struct {
	dir      string
	scenario scenario
}

func newWorld(t *testing.T, s scenario) *world {
	t.Helper()
	w := &world{dir: t.TempDir(), scenario: s}
	if err := os.Mkdir(w.path("sim"), 0o700); err != nil {
		t.Fatal(err)
	}
	w.equip(t)
	for _, pool := range []string{"src", "dst"} {
		if realZFS != "" {
			w.sim("zpool", "export", "-f", pool)
		}
		w.write(t, pool+".img", "")
		if err := os.Truncate(w.path(pool+".img"), 256<<20); err != nil {
			t.Fatal(err)
		}
		// The streams are to be as long as what is in them.
		w.must(t, "zpool", "create", "-O", "compression=off", pool, w.path(pool+".img"))
	}
	return w
}

// copy makes a world of its own with the same pools and nothing struck.
func (w *world) copy(t *testing.T) *world {
	t.Helper()
	c := &world{dir: t.TempDir(), scenario: w.scenario}
	if realZFS != "" {
		c.importCopy(t, w)
		c.equip(t)
		return c
	}
	if out, err := exec.Command("cp", "-a", w.path("sim"), c.path("sim")).CombinedOutput(); err != nil {
		t.Fatalf("cp: %v %s", err, out)
	}
	c.equip(t)
	return c
}

func (w *world) path(name string) string { return filepath.Join(w.dir, name) }

// equip makes what surrounds the pools: wrappers, relay, configurations.
func (w *world) equip(t *testing.T) {
	t.Helper()
	for _, host := range []string{"src", "dst"} {
		if err := os.MkdirAll(w.path(host+"/run"), 0o700); err != nil {
			t.Fatal(err)
		}
		for _, part := range []string{"zfs", "relay"} {
			if err := os.Symlink(self, w.path(host+"/"+part)); err != nil {
				t.Fatal(err)
			}
		}
		w.write(t, host+"/real", cmp.Or(realZFS, filepath.Join(bin, "zfs-sim")))
		w.write(t, host+"/zreplctl.yml", w.scenario.config(w, host))
	}
}

func (w *world) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(w.path(name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// env is the environment of a host's programs.
func (w *world) env(host string) []string {
	return append(os.Environ(), "ZFS_SIM_ROOT="+w.path("sim"), "ZREPL_ZFS="+w.path(host+"/zfs"),
		"PATH="+bin+":"+os.Getenv("PATH"), "XDG_RUNTIME_DIR="+w.path(host+"/run"))
}

// serve is the far end of a connection, as a command in YAML. cut makes it
// break.
func (w *world) serve(host, id, cut string) string {
	words := []string{"env", "ZREPL_ZFS=" + w.path(host+"/zfs"), "ZFS_SIM_ROOT=" + w.path("sim"), "PATH=" + bin + ":" + os.Getenv("PATH"),
		filepath.Join(bin, "zreplctl"), "-config", w.path(host + "/zreplctl.yml"), "serve", id}
	if cut != "" {
		words = append([]string{w.path(host + "/relay"), cut}, words...)
	}
	return `["` + strings.Join(words, `", "`) + `"]`
}

// sim runs a command of the simulator, outside of all counting.
func (w *world) sim(args ...string) (string, error) {
	if realZFS != "" {
		out, err := exec.Command(filepath.Join(filepath.Dir(realZFS), args[0]), args[1:]...).CombinedOutput()
		if err != nil {
			return "", fmt.Errorf("%q: %w: %s", args, err, out)
		}
		return string(out), nil
	}
	var out, errs strings.Builder
	env := func(name string) string { return map[string]string{"ZFS_SIM_ROOT": w.path("sim")}[name] }
	if status := zfssim.Run(zfssim.Command{Args: args, Env: env, Stdout: &out, Stderr: &errs}); status != 0 {
		return "", fmt.Errorf("%q: exit status %d: %s", args, status, errs.String())
	}
	return out.String(), nil
}

func (w *world) must(t *testing.T, args ...string) string {
	t.Helper()
	out, err := w.sim(args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// lines are the output of a command, sorted.
func (w *world) lines(t *testing.T, args ...string) []string {
	t.Helper()
	text := strings.TrimSuffix(w.must(t, args...), "\n")
	if text == "" {
		return nil
	}
	out := strings.Split(text, "\n")
	slices.Sort(out)
	return out
}

// fill writes a file of a size into a mounted dataset.
func (w *world) fill(t *testing.T, ds, name string, size int) {
	t.Helper()
	dir := strings.TrimSpace(w.must(t, "zfs", "get", "-H", "-o", "value", "mountpoint", ds))
	data := make([]byte, size)
	for i := range data {
		data[i] = byte(i*7 + i>>8*31 + len(name))
	}
	if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// patience is how long a run may take, on a busy machine or a virtual one.
const patience = 3 * time.Minute

// outcome is how a run of a scenario's commands ended.
type outcome struct {
	status int
	talk   string
	left   []string // what went on running though nobody wanted it
}

// replicate runs the scenario's commands one after the other, as a session of
// their own, and stops at the first that is killed.
func (w *world) replicate(t *testing.T) outcome {
	t.Helper()
	var o outcome
	for _, c := range w.scenario.commands {
		var dead bool
		if o, dead = w.command(t, c, o); dead || o.status != 0 {
			return o
		}
	}
	return o
}

func (w *world) command(t *testing.T, c command, o outcome) (outcome, bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	talk, err := os.CreateTemp(w.dir, "talk")
	if err != nil {
		t.Fatal(err)
	}
	defer talk.Close()
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "zreplctl"), append([]string{"-config", w.path(c.host + "/zreplctl.yml")}, c.args...)...)
	cmd.Env = w.env(c.host)
	cmd.Stdout, cmd.Stderr = talk, talk // files: nobody who keeps them open holds us up
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	sid := cmd.Process.Pid
	err = cmd.Wait()
	if ctx.Err() != nil {
		o.left = append(o.left, "zreplctl itself, after minutes")
	}
	o.left = append(o.left, w.await(sid)...)
	text, _ := os.ReadFile(talk.Name())
	o.talk += string(text)
	o.status = cmd.ProcessState.ExitCode()
	return o, errors.As(err, new(*exec.ExitError)) && o.status < 0
}

// await gives what is left of a session a minute to end.
func (w *world) await(sid int) (left []string) {
	for end := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		pids := session(sid)
		if len(pids) == 0 {
			return nil
		}
		if time.Now().Before(end) {
			continue
		}
		for _, pid := range pids {
			line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
			left = append(left, strings.ReplaceAll(string(line), "\x00", " "))
			syscall.Kill(pid, syscall.SIGKILL)
		}
		return left
	}
}

// commandsOf are the zfs commands that a host has run.
func (w *world) commandsOf(host string) []string {
	text, _ := os.ReadFile(w.path(host + "/log"))
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

// frames are the sizes of the frames that the relay counted.
func (w *world) frames() (sizes []int) {
	text, _ := os.ReadFile(w.path(w.scenario.cut + "/frames"))
	for f := range strings.FieldsSeq(string(text)) {
		n, _ := strconv.Atoi(f)
		sizes = append(sizes, n)
	}
	return sizes
}

func (w *world) struck(host string) bool {
	_, err := os.Stat(w.path(host + "/struck"))
	return err == nil
}

// heal makes the wrappers harmless.
func (w *world) heal(t *testing.T) {
	t.Helper()
	for _, host := range []string{"src", "dst"} {
		os.Remove(w.path(host + "/fault"))
		w.write(t, host+"/zreplctl.yml", w.scenario.config(&world{dir: w.dir, scenario: w.scenario}, host))
	}
}
