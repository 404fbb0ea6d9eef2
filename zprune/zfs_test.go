package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/zfssim/simhost"
)

func TestDestroyCountsCommands(t *testing.T) {
	h := newHost(t, "p")
	h.fill(11, h.datasets("p", 6)...)
	out, errs, status := h.Run("", "zprune", "-r", "-keep-last", "1", "-destroy", "p")
	if status != 0 || errs != "" || strings.Count(out, "\n") != 60 {
		t.Errorf("status %d, %d destroyed, %s", status, strings.Count(out, "\n"), errs)
	}
	commands := h.Commands()
	destroys := slices.DeleteFunc(slices.Clone(commands), func(c string) bool { return !strings.HasPrefix(c, "zfs destroy ") })
	// One lists all, and one asks what keeps the snapshots that are to go.
	if len(destroys) != 6 || len(commands) != 8 {
		t.Errorf("%d commands, %d of them destroy: want 8 and 6", len(commands), len(destroys))
	}
	slow := slices.DeleteFunc(slices.Clone(commands), func(c string) bool { return !strings.Contains(c, "userrefs") })
	if len(slow) != 1 || strings.Contains(slow[0], " -r ") || strings.Count(slow[0], "@") != 60 {
		t.Errorf("asked for userrefs: %.300q, want the 60 by name", slow)
	}
	if left := h.Snapshots(); len(left) != 6 {
		t.Errorf("%d snapshots are left, want 6", len(left))
	}
	t.Logf("60 of 66 snapshots of 6 datasets: %d zfs commands", len(commands))
}

func TestDestroyLeavesWhatIsHeld(t *testing.T) {
	h := newHost(t, "p")
	h.fill(6, h.datasets("p", 2)...)
	h.Must("zfs", "hold", "tag", "p/d00@zrepl_001")
	// Known from the listing, it is kept and named, and that is all right.
	_, errs, status := h.Run("", "zprune", "-r", "-keep-last", "1", "-destroy", "p")
	if status != 0 || errs != "zprune: kept \"p/d00@zrepl_001\": it is held\n" {
		t.Errorf("status %d, %s", status, errs)
	}
	h.expect("p/d00@zrepl_001", "p/d00@zrepl_005", "p/d01@zrepl_005")
}

// Lines may not tell of holds and clones: ZFS is asked for the batch, once more
// for the rest, and then about what it keeps, which is named.
func TestDestroyOfLines(t *testing.T) {
	h := newHost(t, "p")
	h.fill(6, h.datasets("p", 2)...)
	h.Must("zfs", "hold", "tag", "p/d00@zrepl_001")
	lines := h.Must("zfs", "list", "-Hp", "-t", "snapshot", "-o", "name,creation,createtxg")
	h.Commands()
	out, errs, status := h.Run(lines, "zprune", "-keep-last", "1", "-destroy")
	if status != 0 || errs != "zprune: kept \"p/d00@zrepl_001\": it is held\n" {
		t.Errorf("status %d, %s", status, errs)
	}
	if n := len(h.Commands()); n != 4 {
		t.Errorf("%d zfs commands, want 4", n)
	}
	h.expect("p/d00@zrepl_001", "p/d00@zrepl_005", "p/d01@zrepl_005")
	if want := "p/d00@zrepl_000\np/d00@zrepl_002\np/d00@zrepl_003\np/d00@zrepl_004\n"; !strings.HasPrefix(out, want) {
		t.Errorf("destroyed: %s", out)
	}
	// What somebody else has destroyed meanwhile is gone, as was wanted.
	if _, errs, status := h.Run("p/d01@zrepl_000\t1\np/d01@zrepl_009\t9\n", "zprune", "-keep-last", "1", "-destroy"); status != 0 {
		t.Errorf("a snapshot that is gone: status %d, %s", status, errs)
	}
}

// What is held or cloned between the list and the destroying stays, and is no
// failure; what is busy for another reason is.
func TestHeldMeanwhile(t *testing.T) {
	for act, want := range map[string]struct {
		status int
		errs   string
	}{
		"zfs hold client p/d00@zrepl_001":                                   {0, `zprune: kept "p/d00@zrepl_001": it is held`},
		"zfs clone p/d00@zrepl_001 p/clone":                                 {0, `zprune: kept "p/d00@zrepl_001": it has clones`},
		"zfs destroy p/d00@zrepl_001":                                       {0, ""},
		"echo cannot destroy snapshot p/d00@zrepl_001: dataset is busy >&2": {1, `zprune: cannot destroy "p/d00@zrepl_001": dataset is busy`},
	} {
		h := newHost(t, "p")
		h.fill(4, h.datasets("p", 2)...)
		// A zfs before ours does something between the list and the first destroy.
		fails := "false"
		if strings.HasPrefix(act, "zfs ") {
			act, fails = bin+"/"+act, "true"
		}
		script := "#!/bin/sh\nif [ $1 = destroy ] && [ ! -e " + h.Root + "/done ]; then >" + h.Root + "/done; " + act + " >&2; " + fails + " || exit 1; fi\n" +
			"exec " + bin + "/zfs \"$@\"\n"
		file := filepath.Join(t.TempDir(), "zfs")
		if err := simhost.WriteProgram(file, script); err != nil {
			t.Fatal(err)
		}
		h.Env = []string{"ZREPL_ZFS=" + file}
		out, errs, status := h.Run("", "zprune", "-r", "-keep-last", "1", "-destroy", "p")
		if status != want.status || strings.TrimSpace(errs) != want.errs {
			t.Errorf("%s: status %d, %s%s", act, status, out, errs)
		}
		left := h.Snapshots()
		left = slices.DeleteFunc(left, func(name string) bool { return name == "p/d00@zrepl_001" })
		if !slices.Equal(left, []string{"p/d00@zrepl_003", "p/d01@zrepl_003"}) {
			t.Errorf("%s: left %v", act, left)
		}
	}
}

// One of the datasets is gone: it is named, and the others are pruned.
func TestMissingDataset(t *testing.T) {
	h := newHost(t, "p")
	h.fill(3, h.datasets("p", 2)...)
	policy := filepath.Join(h.Root, "policy.yml")
	if err := os.WriteFile(policy, []byte("keep: [{type: not_replicated}, {type: last_n, count: 1}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	h.Must("zfs", "hold", "zreplctl_source_host", "p/d01@zrepl_001")
	const said = "zprune: cannot list the snapshots of \"p/none\": dataset does not exist\n"
	for _, c := range []struct{ args, out string }{
		{"-keep-last 1 p/d00 p/none", "p/d00@zrepl_000\np/d00@zrepl_001\n"},
		{"-keep-last 1 -destroy p/none p/d00", "p/d00@zrepl_000\np/d00@zrepl_001\n"},
		{"-r -policy " + policy + " -destroy p/none p/d01", "p/d01@zrepl_000\n"},
		{"-keep-last 1 -destroy p/none", ""},
		{"-policy " + policy + " -destroy p/none", ""},
	} {
		out, errs, status := h.Run("", append([]string{"zprune"}, strings.Fields(c.args)...)...)
		if status != 1 || !strings.HasPrefix(errs, said) || strings.Contains(errs[len(said):], "cannot") || out != c.out {
			t.Errorf("%s: status %d, %q, %s", c.args, status, out, errs)
		}
	}
}

// One pool cannot be listed, or does not answer: the others are pruned.
func TestPoolsApart(t *testing.T) {
	for fault, status := range map[string]int{
		"on=list match=q/d00 from=1 fail=1 message=cannot open 'q/d00': I/O error": 1,
		"on=list match=q/d00 from=1 slow=7s":                                       0,
		"on=list match=q/d00 from=1 hang":                                          130,
	} {
		t.Run(fault, func(t *testing.T) {
			h := newHost(t, "p", "q", "r")
			h.fill(3, h.datasets("p", 1)...)
			h.fill(3, h.datasets("q", 1)...)
			h.fill(3, h.datasets("r", 1)...)
			h.Env = []string{"ZFS_SIM_FAULTS=" + fault}
			cmd := h.Command("zprune", "-keep-last", "1", "-destroy", "q/d00", "p/d00", "r/d00")
			var out, errs bytes.Buffer
			cmd.Stderr = &errs
			lines, err := cmd.StdoutPipe()
			if err == nil {
				err = cmd.Start()
			}
			if err != nil {
				t.Fatal(err)
			}
			for in := bufio.NewScanner(lines); in.Scan(); {
				if fmt.Fprintln(&out, in.Text()); in.Text() == "r/d00@zrepl_001" && status == 130 {
					cmd.Process.Signal(os.Interrupt)
				}
			}
			cmd.Wait()
			if got := cmd.ProcessState.ExitCode(); got != status {
				t.Errorf("exit status %d", got)
			}
			want := "p/d00@zrepl_000\np/d00@zrepl_001\nr/d00@zrepl_000\nr/d00@zrepl_001\n"
			if status == 0 {
				want += "q/d00@zrepl_000\nq/d00@zrepl_001\n"
			}
			if out.String() != want {
				t.Errorf("%q, %s", &out, &errs)
			}
			if status == 1 && !strings.Contains(errs.String(), "I/O error") {
				t.Error(&errs)
			}
		})
	}
	h := newHost(t, "p", "q")
	h.fill(3, h.datasets("p", 1)...)
	h.fill(3, h.datasets("q", 1)...)
	if out, errs, status := h.Run("", "zprune", "-keep-last", "1", "-destroy", "-max", "3", "p/d00", "q/d00"); status != 1 || out != "" || len(h.Snapshots()) != 6 {
		t.Errorf("-max: status %d, %s %s", status, out, errs)
	}
}

// A failure that names no snapshot is looked for by halves, and the other
// datasets go on.
func TestDestroyGoesOn(t *testing.T) {
	h := newHost(t, "p")
	h.fill(9, h.datasets("p", 3)...)
	h.Env = []string{"ZFS_SIM_FAULTS=on=destroy match=p/d01@ from=1 fail=1 message=internal error: out of luck"}
	out, errs, status := h.Run("", "zprune", "-r", "-keep-last", "1", "-destroy", "p")
	if status != 1 || strings.Count(out, "\n") != 16 || strings.Count(errs, "cannot destroy") != 8 {
		t.Errorf("status %d, %q, %s", status, out, errs)
	}
	if n := len(h.Commands()); n != 1+1+1+1+15 {
		t.Errorf("%d commands, want 19", n)
	}
	h.Env = []string{"ZFS_SIM_FAULTS=on=destroy match=p/d01@ n=1 fail=1 message=internal error: out of luck"}
	if out, errs, status := h.Run("", "zprune", "-r", "-keep-last", "1", "-destroy", "p"); status != 0 || strings.Count(out, "\n") != 8 {
		t.Errorf("status %d, %q, %s", status, out, errs)
	}
}

func TestNothingIsDestroyed(t *testing.T) {
	h := newHost(t, "p")
	h.fill(5, h.datasets("p", 2)...)
	before := h.Snapshots()
	list := h.Must("zfs", "list", "-Hp", "-t", "snapshot", "-o", "name,creation,createtxg,userrefs")
	for name, c := range map[string]struct {
		in     string
		args   []string
		status int
		out    int
	}{
		"too many":          {"", []string{"-r", "-keep-last", "1", "-destroy", "-max", "7", "p"}, 1, 0},
		"pretended":         {"", []string{"-r", "-keep-last", "1", "-destroy", "-n", "p"}, 0, 8},
		"a bad line behind": {list + "p/d09\t1\n", []string{"-keep-last", "1", "-destroy"}, 1, 0},
		"no destroy":        {list, []string{"-keep-last", "1"}, 0, 8},
		"explained":         {list, []string{"-keep-last", "1", "-explain"}, 0, 10},
		"an empty policy":   {list, []string{"-policy", empty(t), "-destroy"}, 0, 0},
		"no such dataset":   {"", []string{"-r", "-keep-last", "1", "-destroy", "p/none"}, 1, 0},
		"bad policy":        {list, []string{"-grid", "1x1h(keep=0)", "-destroy"}, 2, 0},
	} {
		out, errs, status := h.Run(c.in, append([]string{"zprune"}, c.args...)...)
		if status != c.status || strings.Count(out, "\n") != c.out || (status == 0) != (errs == "") {
			t.Errorf("%s: status %d, %q, %s", name, status, out, errs)
		}
		if after := h.Snapshots(); !slices.Equal(before, after) {
			t.Fatalf("%s: destroyed", name)
		}
	}
	// A list that ends in the middle is no list.
	h.Env = []string{"ZFS_SIM_FAULTS=on=list kill=after"}
	_, _, status := h.Run("", "zprune", "-r", "-keep-last", "1", "-destroy", "p")
	h.Env = nil
	if after := h.Snapshots(); status == 0 || !slices.Equal(before, after) {
		t.Errorf("a cut list: status %d", status)
	}
}

func empty(t *testing.T) string {
	file := filepath.Join(t.TempDir(), "policy.yml")
	if err := os.WriteFile(file, []byte("keep: []\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestExplainAndDestroy(t *testing.T) {
	h := newHost(t, "p")
	h.fill(3, "p")
	out, errs, status := h.Run("", "zprune", "-keep-last", "1", "-destroy", "-explain", "p")
	if status != 0 || errs != "" || strings.Count(out, "destroy\tlast_n 1\tp@zrepl_00") != 2 || strings.Count(out, "\n") != 3 {
		t.Errorf("status %d, %s%s", status, out, errs)
	}
	h.expect("p@zrepl_002")
}

func TestNotReplicated(t *testing.T) {
	h := newHost(t, "p")
	h.fill(6, "p")
	policy := filepath.Join(h.Root, "policy.yml")
	if err := os.WriteFile(policy, []byte("keep:\n- {type: not_replicated}\n- {type: last_n, count: 1}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	victims := func() string {
		t.Helper()
		out, errs, status := h.Run("", "zprune", "-policy", policy, "p")
		if status != 0 {
			t.Fatalf("status %d: %s", status, errs)
		}
		return strings.ReplaceAll(strings.TrimSpace(strings.ReplaceAll(out, "p@zrepl_", "")), "\n", " ")
	}
	if got := victims(); got != "" {
		t.Errorf("nothing was replicated, and %s go", got)
	}
	h.Must("zfs", "hold", "zreplctl_source_host", "p@zrepl_003")
	if got := victims(); got != "000 001 002" {
		t.Errorf("3 was sent, and %s go", got)
	}
	h.Must("zfs", "hold", "zreplctl_source_host", "p@zrepl_004") // is being sent
	if got := victims(); got != "000 001 002" {
		t.Errorf("4 is being sent, and %s go", got)
	}
	guid := strings.TrimSpace(h.Must("zfs", "get", "-Hp", "-o", "value", "guid", "p@zrepl_001"))
	var n uint64
	fmt.Sscan(guid, &n)
	h.Must("zfs", "bookmark", "p@zrepl_001", fmt.Sprintf("p#zreplctl_push_other_%016x", n))
	if got := victims(); got != "000 001" {
		t.Errorf("the other has 1, and %s go", got)
	}
	list := h.Must("zfs", "list", "-Hp", "-t", "snapshot", "-o", "name,creation")
	if _, errs, status := h.Run(list, "zprune", "-policy", policy); status != 2 || !strings.Contains(errs, "not_replicated") {
		t.Errorf("of lines: status %d, %s", status, errs)
	}
}

// Killed at any command, a prune leaves what a second run makes whole.
func TestKilledAnywhere(t *testing.T) {
	datasets := 4
	if os.Getenv("ZT_HEAVY") != "" {
		datasets = 50
	}
	h := newHost(t, "p")
	h.fill(4, h.datasets("p", datasets)...)
	args := []string{"zprune", "-r", "-keep-last", "2", "-keep-regex", "_000$", "-destroy", "p"}
	undisturbed := h.Copy()
	if _, errs, status := undisturbed.Run("", args...); status != 0 {
		t.Fatalf("status %d: %s", status, errs)
	}
	commands := len(undisturbed.Commands())
	if commands != 2+datasets {
		t.Fatalf("%d commands, want %d", commands, 2+datasets)
	}
	want := undisturbed.Snapshots()
	for n := 1; n <= commands; n++ {
		for _, when := range []string{"before", "after"} {
			c := h.Copy()
			c.Env = []string{fmt.Sprintf("ZFS_SIM_FAULTS=n=%d kill=%s", n, when)}
			if _, _, status := c.Run("", args...); status != -1 {
				t.Fatalf("killed %s command %d: status %d", when, n, status)
			}
			if seen := len(c.Commands()); seen != n {
				t.Errorf("killed %s command %d, and %d began", when, n, seen)
			}
			c.Env = nil
			if _, errs, status := c.Run("", args...); status != 0 {
				t.Errorf("killed %s command %d, the second run: status %d, %s", when, n, status, errs)
			}
			if got := c.Snapshots(); !slices.Equal(got, want) {
				t.Errorf("killed %s command %d: %v", when, n, got)
			}
			os.RemoveAll(c.Root)
		}
	}
	t.Logf("%d datasets: killed before and after each of %d commands", datasets, commands)
}

// Told to end, it ends behind the command that runs, and has told what is gone.
func TestInterrupted(t *testing.T) {
	h := newHost(t, "p")
	h.fill(3, h.datasets("p", 3)...)
	h.Env = []string{"ZFS_SIM_FAULTS=on=destroy match=p/d01@ hang"}
	cmd := h.Command("zprune", "-r", "-keep-last", "1", "-destroy", "p")
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for range 2 {
		if !lines.Scan() {
			t.Fatalf("no line: %s", &errs)
		}
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	more := lines.Scan()
	cmd.Wait()
	if status := cmd.ProcessState.ExitCode(); more || status != 143 || !strings.Contains(errs.String(), "terminated") {
		t.Errorf("status %d, %s", status, &errs)
	}
	h.Env = nil
	h.expect("p/d00@zrepl_002", "p/d01@zrepl_000", "p/d01@zrepl_001", "p/d01@zrepl_002", "p/d02@zrepl_000", "p/d02@zrepl_001", "p/d02@zrepl_002")
}

// A reader that goes away does not stop what has begun.
func TestClosedOutput(t *testing.T) {
	h := newHost(t, "p")
	h.fill(3, h.datasets("p", 3)...)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	cmd := h.Command("zprune", "-r", "-keep-last", "1", "-destroy", "p")
	var errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = w, &errs
	cmd.Run()
	w.Close()
	if status := cmd.ProcessState.ExitCode(); status != 141 || errs.Len() > 0 {
		t.Errorf("status %d, %s", status, &errs)
	}
	h.expect("p/d00@zrepl_002", "p/d01@zrepl_002", "p/d02@zrepl_002")
}

// Two lists that overlap make no second newest, and a list that was cut in
// the middle of a line no snapshot of 1970.
func TestStrangeLists(t *testing.T) {
	h := newHost(t, "p", "p/a")
	h.fill(6, "p/a")
	list := h.Must("zfs", "list", "-Hp", "-t", "snapshot", "-o", "name,creation,createtxg,userrefs")
	before := h.Snapshots()
	for name, in := range map[string]string{"twice": list + list, "cut": list[:len(list)-14], "cut before the end": list[:len(list)-1]} {
		for _, args := range [][]string{{"-destroy"}, {"-destroy", "-unsorted"}} {
			out, errs, status := h.Run(in, append([]string{"zprune", "-keep-last", "2"}, args...)...)
			if status != 1 || out != "" || errs == "" || !slices.Equal(before, h.Snapshots()) {
				t.Errorf("%s %v: status %d, %q, %s", name, args, status, out, errs)
			}
		}
	}
}
