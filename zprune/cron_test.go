package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/zfssim/simhost"
)

var cronLine = regexp.MustCompile(`^(?:[0-9*/,-]+ +){5}(?:root +)?((?:zsnap|zprune|zreplctl) [^#]*)`)

// cronLines finds the lines of crontab(5) in a text.
func cronLines(t *testing.T, file string) (commands []string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	path := false // a line before, in the same example, sets it
	for line := range strings.Lines(string(text)) {
		switch {
		case strings.HasPrefix(line, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"):
			path = true
		case strings.HasPrefix(line, ".Bd"), strings.HasPrefix(line, "```"):
			path = false
		}
		if m := cronLine.FindStringSubmatch(line); m != nil {
			if !path {
				t.Errorf("%s: cron's own PATH has not the programs of %q", file, m[1])
			}
			if strings.Contains(m[1], "%") {
				t.Errorf("%s: cron takes the %% in %q for a line break", file, m[1])
			}
			commands = append(commands, strings.TrimSpace(m[1]))
		}
	}
	return commands
}

// The cron lines of the documentation work as they are written: in a shell
// whose environment holds nothing but where the programs are.
func TestCronLines(t *testing.T) {
	commands := cronLines(t, "../README.md")
	for _, manual := range []string{"../doc/zrepl-tools.7", "zprune.8", "../zsnap/zsnap.8"} {
		commands = append(commands, cronLines(t, manual)...)
	}
	if len(commands) < 4 {
		t.Fatalf("only %d cron lines: %q", len(commands), commands)
	}
	if lines := cronLines(t, "../zreplctl/zreplctl.8"); len(lines) == 0 {
		t.Error("no cron line for zreplctl")
	}
	h := newHost(t, "zroot", "tank")
	for _, ds := range []string{"zroot/var", "zroot/var/db", "zroot/var/db/pg", "tank/home", "tank/db"} {
		h.Must("zfs", "create", ds)
	}
	dir := t.TempDir()
	for _, name := range []string{"zsnap", "zprune"} {
		if err := os.Symlink(filepath.Join(bin, name), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	zfs := "#!/bin/sh\nZFS_SIM_ROOT=" + h.Root + " exec " + bin + "/zfs \"$@\"\n"
	if err := simhost.WriteProgram(filepath.Join(dir, "zfs"), zfs); err != nil {
		t.Fatal(err)
	}
	for _, command := range commands {
		before := len(h.Snapshots())
		cmd := exec.Command("/bin/sh", "-c", command)
		cmd.Env = []string{"PATH=" + dir + ":/usr/bin:/bin"}
		cmd.Dir = "/"
		out, err := cmd.CombinedOutput()
		if err != nil || strings.HasPrefix(command, "zsnap") && len(h.Snapshots()) == before {
			t.Errorf("%s: %v, %s", command, err, out)
		}
		t.Logf("%s: %d snapshots before, %d after", command, before, len(h.Snapshots()))
	}
}
