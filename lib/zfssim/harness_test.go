package zfssim

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestMain lets the test binary be zfs-sim itself, for what needs a process
// that can be killed.
func TestMain(m *testing.M) {
	if os.Getenv("ZFS_SIM_TEST_CHILD") != "" {
		os.Exit(Run(Command{Args: append([]string{"zfs-sim"}, os.Args[1:]...), Env: os.Getenv, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}))
	}
	if os.Getenv("GORACE") == "" { // or each child would wait a second at its end
		os.Setenv("GORACE", "atexit_sleep_ms=0")
	}
	os.Exit(m.Run())
}

// heavy is n, or full where ZT_HEAVY asks for the whole count.
func heavy(n, full int) int {
	if os.Getenv("ZT_HEAVY") != "" {
		return full
	}
	return n
}

// A sandbox is a root of its own with commands run in this process.
type sandbox struct {
	t    testing.TB
	root string
	env  map[string]string
}

func newSandbox(t testing.TB, pools ...string) *sandbox {
	s := &sandbox{t: t, root: t.TempDir(), env: map[string]string{}}
	for _, p := range pools {
		s.ok("zpool", "create", p, "disk-"+p)
	}
	return s
}

func (s *sandbox) getenv(name string) string {
	if name == "ZFS_SIM_ROOT" {
		return s.root
	}
	return s.env[name]
}

// run runs one command and returns its output and status.
func (s *sandbox) run(stdin []byte, args ...string) (stdout, stderr string, code int) {
	var out, errs bytes.Buffer
	in, err := os.Open(os.DevNull)
	if stdin != nil {
		in, err = os.Create(filepath.Join(s.t.TempDir(), "stdin"))
		if err == nil {
			_, err = in.Write(stdin)
		}
		if err == nil {
			_, err = in.Seek(0, io.SeekStart)
		}
	}
	if err != nil {
		s.t.Fatal(err)
	}
	defer in.Close()
	code = Run(Command{Args: append([]string{"zfs-sim"}, args...), Env: s.getenv, Stdin: in, Stdout: &out, Stderr: &errs})
	return out.String(), errs.String(), code
}

func (s *sandbox) ok(args ...string) string {
	s.t.Helper()
	out, errs, code := s.run(nil, args...)
	if code != 0 {
		s.t.Fatalf("%s: status %d: %s", strings.Join(args, " "), code, errs)
	}
	return out
}

// recv feeds a stream to zfs receive and returns its complaint.
func (s *sandbox) recv(stream string, args ...string) (string, int) {
	_, errs, code := s.run([]byte(stream), append([]string{"zfs", "receive"}, args...)...)
	return errs, code
}

func (s *sandbox) mnt(parts ...string) string {
	return filepath.Join(append([]string{s.root, "mnt"}, parts...)...)
}

// snapDir is where a snapshot's frozen contents lie, mounted or not.
func (s *sandbox) snapDir(full string) string {
	name, short, _ := strings.Cut(full, "@")
	pool, rest, _ := strings.Cut(name, "/")
	return filepath.Join(s.root, "pools", pool, "ds", rest, "@zfs/snapshot", short)
}

// guids lists a dataset's snapshots by guid.
func (s *sandbox) guids(name string) map[string]string {
	s.t.Helper()
	out := map[string]string{}
	for _, line := range strings.Split(strings.TrimSpace(s.ok("zfs", "list", "-Hp", "-t", "snapshot", "-o", "name,guid", "-d", "1", name)), "\n") {
		if full, guid, ok := strings.Cut(line, "\t"); ok {
			out[guid] = full
		}
	}
	return out
}

// sameTrees fails unless two trees are equal in all that streams carry.
func sameTrees(t testing.TB, a, b string) {
	t.Helper()
	changes, err := diffTrees(a, b)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range changes {
		t.Errorf("%s and %s differ in %s", a, b, c.path)
	}
}

func write(t testing.TB, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// child prepares a command as a process of its own.
func (s *sandbox) child(args ...string) *exec.Cmd {
	exe, err := os.Executable()
	if err != nil {
		s.t.Fatal(err)
	}
	c := exec.Command(exe, args...)
	c.Env = append(os.Environ(), "ZFS_SIM_TEST_CHILD=1", "ZFS_SIM_ROOT="+s.root)
	for k, v := range s.env {
		c.Env = append(c.Env, k+"="+v)
	}
	return c
}

func (s *sandbox) faults(lines ...string) {
	write(s.t, filepath.Join(s.root, "faults"), strings.Join(lines, "\n")+"\n")
}

func count(out string) int { return strings.Count(out, "\n") }

func number(t testing.TB, text string) uint64 {
	t.Helper()
	n, err := strconv.ParseUint(strings.TrimSpace(text), 10, 64)
	if err != nil {
		t.Fatal(fmt.Errorf("%q: %w", text, err))
	}
	return n
}
