package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/snap"
	"github.com/zrepl-tools/zrepl-tools/lib/zfssim/simhost"
)

var bin string // holds zsnap, zfs and zpool

func TestMain(m *testing.M) { os.Exit(simhost.Main(m, &bin, map[string]string{"zsnap": "."})) }

type host struct{ *simhost.Host }

func newHost(t *testing.T, names ...string) *host { return &host{simhost.New(t, bin, names...)} }

// write puts something into a dataset.
func (h *host) write(ds, text string) {
	h.T.Helper()
	dir := strings.TrimSpace(h.Must("zfs", "get", "-H", "-o", "value", "mountpoint", ds))
	if err := os.WriteFile(filepath.Join(dir, "file"), []byte(text), 0o600); err != nil {
		h.T.Fatal(err)
	}
}

func sorted(text string) []string {
	names := strings.Fields(text)
	slices.Sort(names)
	return names
}

func TestOneCommandAPool(t *testing.T) {
	h := newHost(t, "p", "p/a", "p/a/b", "q", "q/c")
	out, errs, status := h.Run("p/a\tmore\nq\nq/c\np/a/b\nq\n", "zsnap")
	commands := h.Commands()
	if status != 0 || errs != "" || len(commands) != 2 {
		t.Errorf("status %d, %s, commands %v", status, errs, commands)
	}
	names := sorted(out)
	if !slices.Equal(names, h.Snapshots()) || len(names) != 4 {
		t.Errorf("printed %v, there are %v", names, h.Snapshots())
	}
	form := regexp.MustCompile(`^(p/a|p/a/b|q|q/c)@zrepl_\d{8}_\d{6}_\d{3}$`)
	for _, name := range names {
		if !form.MatchString(name) {
			t.Errorf("a snapshot is called %q", name)
		}
	}
	for _, pool := range []string{"p", "q"} {
		if txgs := sorted(h.Must("zfs", "list", "-Hp", "-r", "-t", "snapshot", "-o", "createtxg", pool)); txgs[0] != txgs[len(txgs)-1] {
			t.Errorf("createtxg of pool %s: %v", pool, txgs)
		}
	}
}

func TestRecursive(t *testing.T) {
	h := newHost(t, "p", "p/a", "p/a/b", "p/ab")
	out, errs, status := h.Run("", "zsnap", "-r", "-prefix", "x-", "-format", "2006", "-o", "org:why=test", "p/a")
	year := time.Now().UTC().Format("2006")
	want := []string{"p/a/b@x-" + year, "p/a@x-" + year}
	if status != 0 || errs != "" || !slices.Equal(sorted(out), want) || !slices.Equal(h.Snapshots(), want) {
		t.Errorf("status %d, %s, %q", status, errs, out)
	}
	if got := strings.TrimSpace(h.Must("zfs", "get", "-H", "-o", "value", "org:why", want[0])); got != "test" {
		t.Errorf("the property is %q", got)
	}
	// The name is taken now: none of the pool's is made.
	out, errs, status = h.Run("", "zsnap", "-r", "-prefix", "x-", "-format", "2006", "p")
	if status != 1 || out != "" || !strings.HasPrefix(errs, `zsnap: cannot snapshot "p": 0 of 4 snapshots are taken: `) {
		t.Errorf("status %d, %q, %s", status, out, errs)
	}
	if !slices.Equal(h.Snapshots(), want) {
		t.Errorf("there are %v", h.Snapshots())
	}
}

func TestDryRun(t *testing.T) {
	h := newHost(t, "p", "p/a")
	out, errs, status := h.Run("", "zsnap", "-n", "-r", "p")
	if status != 0 || errs != "" || strings.Count(out, "\n") != 2 || len(h.Snapshots()) != 0 {
		t.Errorf("status %d, %s, %q", status, errs, out)
	}
}

func TestDryRunOfMissing(t *testing.T) {
	h := newHost(t, "p", "p/a")
	out, errs, status := h.Run("", "zsnap", "-n", "p/none", "p/a")
	if status != 1 || !strings.HasPrefix(out, "p/a@") || strings.Count(out, "\n") != 1 || !strings.Contains(errs, `cannot snapshot "p/none": dataset does not exist`) {
		t.Errorf("status %d, %q, %s", status, out, errs)
	}
}

func TestMissingDataset(t *testing.T) {
	h := newHost(t, "p", "p/a", "q")
	for i, args := range [][]string{{}, {"-r"}, {"-if-older", "1s"}} {
		args = append(args, "-prefix", fmt.Sprintf("x%d_", i))
		out, errs, status := h.Run("", append([]string{"zsnap", "p/none", "p/a", "none", "q"}, args...)...)
		if status != 1 || len(sorted(out)) != 2 ||
			!strings.Contains(errs, `cannot snapshot "p/none": dataset does not exist`) || !strings.Contains(errs, `cannot snapshot "none": `) {
			t.Errorf("%v: status %d, %q, %s", args, status, out, errs)
		}
	}
}

func TestIfOlder(t *testing.T) {
	h := newHost(t, "p", "p/a", "p/b")
	h.Must("zsnap", "p/a")
	h.Must("zfs", "snapshot", "p/b@other")
	out, errs, status := h.Run("", "zsnap", "-if-older", "1h", "-r", "p")
	if names := sorted(out); status != 0 || errs != "" || len(names) != 2 || !strings.HasPrefix(names[0], "p/b@") || !strings.HasPrefix(names[1], "p@") {
		t.Errorf("status %d, %s, %v", status, errs, names)
	}
	if out, _, status := h.Run("", "zsnap", "-if-older", "1h", "p/a", "p/b"); out != "" || status != 0 {
		t.Errorf("status %d, %q", status, out)
	}
	if out, _, status := h.Run("", "zsnap", "-if-older", "1h", "-prefix", "other", "p/a"); len(sorted(out)) != 1 || status != 0 {
		t.Errorf("with another prefix: status %d, %q", status, out)
	}
}

func TestIfWritten(t *testing.T) {
	h := newHost(t, "p", "p/a", "p/b")
	if out := h.Must("zsnap", "-if-written", "p/a", "p/b"); len(sorted(out)) != 2 {
		t.Errorf("the first time: %q", out)
	}
	if out := h.Must("zsnap", "-if-written", "p/a", "p/b"); out != "" {
		t.Errorf("nothing was written: %q", out)
	}
	h.write("p/a", strings.Repeat("x", 200_000))
	h.Must("zfs", "snapshot", "p/a@foreign") // has what was written, and is none of ours
	if out := h.Must("zsnap", "-if-written", "p/a", "p/b"); len(sorted(out)) != 1 || !strings.HasPrefix(out, "p/a@zrepl_") {
		t.Errorf("one was written to: %q", out)
	}
}

func TestBadUsage(t *testing.T) {
	for _, c := range []struct{ args, in, want string }{
		{"p@a", "", `bad dataset name "p@a"`},
		{"--;-r", "", `bad dataset name "-r"`},
		{"-format;2006/01;p", "", `no snapshot can be named`},
		{"-format;;p", "", `-format is empty`},
		{"-prefix;a,b;p", "", `no snapshot can be named`},
		{"-prefix;@;p", "", `no snapshot can be named`},
		{"-o;x;p", "", "it must be property=value"},
		{"-o;a=1;-o;a=2;p", "", `property "a" is set twice`},
		{"-if-older;soon;p", "", `byte 1: a length must be a whole number`},
		{"-if-older;99999999999999y;p", "", "too l"},
		{"-hook-fail;maybe;p", "", "-hook-fail is skip or abort"},
		{"-hook-timeout;0s;p", "", "-hook-timeout must be more than 0"},
		{"-x", "", "flag provided but not defined"},
	} {
		h := newHost(t)
		out, errs, status := h.Run(c.in, append([]string{"zsnap"}, strings.Split(c.args, ";")...)...)
		if status != 2 || out != "" || !strings.Contains(errs, c.want) {
			t.Errorf("%s: status %d, %q, %s", c.args, status, out, errs)
		}
		if len(h.Commands()) != 0 {
			t.Errorf("%s: zfs was called", c.args)
		}
	}
	h := newHost(t, "p")
	if _, errs, status := h.Run("p\np@x\n", "zsnap"); status != 1 || !strings.Contains(errs, `record 2: bad dataset name "p@x"`) || len(h.Commands()) != 0 {
		t.Errorf("a bad line: status %d, %s", status, errs)
	}
	if _, errs, status := h.Run("", "zsnap", "-o", "bad property=1", "p"); status != 1 || !strings.Contains(errs, "bad property name") {
		t.Errorf("a bad property: status %d, %s", status, errs)
	}
	long := "p/" + strings.Repeat("x", 240)
	if _, errs, status := h.Run("", "zsnap", "p", long); status != 1 || !strings.Contains(errs, "name of 268 bytes") || len(h.Snapshots()) != 1 {
		t.Errorf("too long a name: status %d, %s", status, errs)
	}
}

// A reader that goes away does not keep the other pool from its snapshots.
func TestClosedOutput(t *testing.T) {
	h := newHost(t, "p", "p/a", "q")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	cmd := exec.Command(filepath.Join(bin, "zsnap"), "-r", "p", "q")
	cmd.Env = []string{"PATH=" + bin + ":/usr/bin:/bin", "ZFS_SIM_ROOT=" + h.Root}
	var errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = w, &errs
	cmd.Run()
	w.Close()
	if status := cmd.ProcessState.ExitCode(); status != 141 || errs.Len() > 0 || len(h.Snapshots()) != 3 {
		t.Errorf("status %d, %s, snapshots %v", status, &errs, h.Snapshots())
	}
}

func TestName(t *testing.T) {
	at := time.Date(2026, 11, 22, 1, 2, 3, 45678901, time.FixedZone("east", 3600))
	for format, want := range map[string]string{
		snap.DefaultFormat:         "x20261122_010203_045",
		"2006-01-02T15:04:05.000Z": "x2026-11-22T01:02:03.045Z",
		"Jan-2":                    "xNov-22",
		"":                         "x",
	} {
		if got := snap.Name("x", format, at); got != want {
			t.Errorf("%q: %q, want %q", format, got, want)
		}
	}
}

// Where the system takes only so many arguments, there are several commands,
// each as long as it may be, and a warning says so.
func TestMoreThanOneCommand(t *testing.T) {
	h := newHost(t)
	zfs := filepath.Join(h.Root, "fake")
	if err := simhost.WriteProgram(zfs, "#!/bin/sh\necho $# >>"+h.Root+"/counts\n"); err != nil {
		t.Fatal(err)
	}
	h.Env = []string{"ZREPL_ZFS=" + zfs}
	const datasets = 2000
	var lines strings.Builder
	for i := range datasets {
		fmt.Fprintf(&lines, "p/%04d%s\n", i, strings.Repeat("x", 180))
	}
	sh := func(script string) (string, string, int) {
		cmd := exec.Command("/bin/sh", "-c", script)
		cmd.Env = append(h.Env, "PATH="+bin+":/usr/bin:/bin")
		var out, errs bytes.Buffer
		cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(lines.String()), &out, &errs
		cmd.Run()
		return out.String(), errs.String(), cmd.ProcessState.ExitCode()
	}
	out, errs, status := sh("ulimit -s 1024; exec zsnap")
	if status != 0 || strings.Count(out, "\n") != datasets || strings.Count(errs, "\n") != 1 ||
		!strings.Contains(errs, `zsnap: warning: the 2000 snapshots of pool "p" do not fit into one command`) {
		t.Errorf("status %d, %d names, %s", status, strings.Count(out, "\n"), errs)
	}
	counts, err := os.ReadFile(h.Root + "/counts")
	if err != nil {
		t.Fatal(err)
	}
	if n := len(strings.Fields(string(counts))); n < 2 || n > 4 {
		t.Errorf("commands with %v arguments", strings.Fields(string(counts)))
	}
	os.Remove(h.Root + "/counts")
	out, errs, status = sh("exec zsnap")
	if counts, _ := os.ReadFile(h.Root + "/counts"); status != 0 || errs != "" || string(counts) != "2001\n" {
		t.Errorf("status %d, %s, commands with %s arguments, %d names", status, errs, counts, strings.Count(out, "\n"))
	}
}

// A list that shows less than was asked for is not taken for all.
func TestSilentList(t *testing.T) {
	h := newHost(t, "p", "p/a")
	silent := filepath.Join(h.Root, "silent")
	if err := simhost.WriteProgram(silent, "#!/bin/sh\n[ $1 = list ] || exec "+bin+"/zfs \"$@\"\n"); err != nil {
		t.Fatal(err)
	}
	h.Env = []string{"ZREPL_ZFS=" + silent}
	_, errs, status := h.Run("", "zsnap", "-if-older", "1h", "p", "p/a")
	h.Env = nil
	if status != 1 || strings.Count(errs, "zfs list does not list it") != 2 {
		t.Errorf("status %d, %s", status, errs)
	}
}
