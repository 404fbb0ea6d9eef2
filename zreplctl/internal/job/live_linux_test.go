package job_test

import (
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// terminal runs zreplctl with a terminal of 80 by 24 as its standard error, and
// returns what it wrote there.
func (w *world) terminal(env string, args ...string) string {
	w.t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		w.t.Fatal(err)
	}
	defer master.Close()
	fd := int(master.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		w.t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		w.t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 80}); err != nil {
		w.t.Fatal(err)
	}
	c := w.command(append([]string{"zreplctl", "-config", w.path("c.yml")}, args...)...)
	c.Stderr = slave
	c.Env = append(c.Env, "TERM=xterm", env)
	if err := c.Start(); err != nil {
		w.t.Fatal(err)
	}
	slave.Close()
	text, _ := io.ReadAll(master) // it ends with an error when the last user of the terminal has ended
	if err := c.Wait(); err != nil {
		w.t.Errorf("%q: %v: %s", args, err, text)
	}
	return string(text)
}

// TestLiveView: on a terminal a run is drawn in place with sizes, and ends with
// what was moved; elsewhere there are plain lines.
func TestLiveView(t *testing.T) {
	t.Parallel()
	w := ends(t)
	w.fill("a/x", 3<<20)
	w.taken(0, "s1")
	w.write("sim/faults", "on=send match=a/x@s1 from=1 rate=1000000\n")
	text := w.terminal("X=", "pull", "-skip", "prune", "fetch")
	for _, want := range []string{"\x1b[", "A\r\x1b[J", "0 of 2 datasets", "[#", "%  ", " of 3.", "/s  ", "s left", "moved 2 snapshots, 3.", "of 2 datasets in "} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in %q", want, text)
		}
	}
	for line := range strings.SplitSeq(text, "\n") {
		if at := strings.LastIndex(line, "\x1b[J"); at >= 0 {
			line = line[at+3:]
		}
		line = strings.NewReplacer("\x1b[1m", "", "\x1b[0m", "", "\x1b[31m", "", "\r", "").Replace(line)
		if utf8.RuneCountInString(line) > 80 {
			t.Errorf("too wide: %q", line)
		}
	}
	w.fill("a/x", 2<<20)
	w.taken(0, "s2")
	w.write("sim/faults", "on=send match=a/x@s2 from=1 rate=1000000\n")
	if text := w.terminal("NO_COLOR=1", "pull", "-skip", "prune", "fetch"); strings.Contains(text, "\x1b[1m") || !strings.Contains(text, "\x1b[J") {
		t.Errorf("with NO_COLOR: %q", text)
	}
	w.taken(0, "s3")
	if _, said := w.ctl("pull", "-progress", "-skip", "prune", "fetch"); strings.Contains(said, "\x1b") || !strings.Contains(said, "zreplctl: moved 2 snapshots, ") {
		t.Errorf("%q", said)
	}
	w.taken(0, "s4")
	if _, said := w.ctl("pull", "-skip", "prune", "fetch"); strings.Contains(said, "moved") {
		t.Errorf("cron would mail %q", said)
	}
}
