package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// tool is the built program.
var tool string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		if built := os.Getenv("ZT_BIN"); built != "" {
			tool = filepath.Join(built, "zmapfilter")
			return m.Run()
		}
		dir, err := os.MkdirTemp("", "zmapfilter")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		tool = filepath.Join(dir, "zmapfilter")
		if out, err := exec.Command("go", "build", "-o", tool, ".").CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "%v: %s\n", err, out)
			return 1
		}
		return m.Run()
	}())
}

// call runs the program.
func call(t *testing.T, stdin string, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	c := exec.Command(tool, args...)
	c.Stdin = strings.NewReader(stdin)
	return finish(t, c)
}

func finish(t *testing.T, c *exec.Cmd) (stdout, stderr string, status int) {
	t.Helper()
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	err := c.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return out.String(), errs.String(), exit.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	return out.String(), errs.String(), 0
}

const input = "tank\t1\ntank/a\t2\ttwo\ntank/b c\nother\t\n\ntank/a@s\t3\ntank#b\t4\n"

func TestModes(t *testing.T) {
	rules := []string{"-r", "tank<=bk/t", "-r", "tank/b c=!"}
	pool := filepath.Join(t.TempDir(), "pool.yml")
	if err := os.WriteFile(pool, []byte("\"tank<\": \"backup\"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name   string
		args   []string
		stdin  string
		stdout string
		status int
	}{
		{"filter", rules, input, "tank\t1\ntank/a\t2\ttwo\ntank/a@s\t3\ntank#b\t4\n", 0},
		{"map", append(rules, "-map"), input, "tank\tbk/t\t1\ntank/a\tbk/t/a\t2\ttwo\ntank/a@s\tbk/t/a@s\t3\ntank#b\tbk/t#b\t4\n", 0},
		{"explain", append(rules, "-explain"), input, "tank\tbk/t\ttank<=bk/t\ntank/a\tbk/t/a\ttank<=bk/t\ntank/b c\t!\ttank/b c=!\nother\t!\tno match\n\t!\tno match\ntank/a@s\tbk/t/a@s\ttank<=bk/t\ntank#b\tbk/t#b\ttank<=bk/t\n", 0},
		{"invert", append(rules, "-invert"), "bk/t/a@s\tx\nbk/t/b c\nbk\n", "bk/t/a@s\ttank/a@s\tx\n", 0},
		{"quiet", append(rules, "-q"), input, "", 0},
		{"quiet map", append(rules, "-q", "-map"), "no\n", "", 1},
		{"nothing", []string{"-r", "x=ok"}, input, "", 1},
		{"empty input", rules, "", "", 1},
		{"everything but empty names", []string{"-r", "<=ok"}, "\n\tx\na\n", "a\n", 0},
		{"no end of line", []string{"-r", "<=ok"}, "a\tb", "a\tb\n", 0},
		{"nul", append(rules, "-0", "-map"), "tank/a\nb\tc\nd\x00tank\x00no\x00", "tank/a\nb\tbk/t/a\nb\tc\nd\x00tank\tbk/t\x00", 0},
		{"flags behind", append([]string{"-map"}, append(rules, "-0")...), "tank\x00", "tank\tbk/t\x00", 0},
		{"a map's file as a filter", []string{"-f", pool}, "tank\nother\n", "tank\n", 0},
		{"any byte", []string{"-r", "<=ok"}, "a\x01\xff\t\x1b\n", "a\x01\xff\t\x1b\n", 0},
	} {
		stdout, stderr, status := call(t, test.stdin, test.args...)
		if stdout != test.stdout || stderr != "" || status != test.status {
			t.Errorf("%s: %d, %s\n got %q\nwant %q", test.name, status, stderr, stdout, test.stdout)
		}
	}
}

func TestErrors(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "rules.yml")
	if err := os.WriteFile(file, []byte("\"a<<\": ok\n\"b\": 7\n\"c/\": ok\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	words := filepath.Join(dir, "words.yml")
	if err := os.WriteFile(words, []byte("\"tank\": false\na: !\n\"b\": \"false\"\nc: no\ntrue: ok\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args   string
		stdin  string
		stderr string // its first lines
		status int
	}{
		{"", "", "zmapfilter: no rules: give some with -r or -f\nusage: ", 2},
		{"-r a", "", "zmapfilter: invalid value \"a\" for flag -r: no = in it: a rule is PATTERN=RESULT\nusage: ", 2},
		{"-r a=ok b", "", "zmapfilter: unexpected argument \"b\": names come from standard input\nusage: ", 2},
		{"-r a=ok -map -invert", "", "zmapfilter: -map, -invert and -explain exclude each other\nusage: ", 2},
		{"-r a@b=ok -r b<<=ok", "", "zmapfilter: -r \"a@b=ok\": pattern \"a@b\": '@' is part of a snapshot's or bookmark's name: write a dataset's name\nzmapfilter: -r \"b<<=ok\": pattern \"b<<\": \"<\" is allowed once, at the end\n", 2},
		{"-r a=ok -r a=!", "", "zmapfilter: -r \"a=!\": pattern \"a\": written twice (first at -r \"a=ok\")\n", 2},
		{"-r a=ok -map", "", "zmapfilter: -r \"a=ok\": result \"ok\" of pattern \"a\": a map's result is a dataset or \"!\"\n", 2},
		{"-f " + file, "", "zmapfilter: " + file + ":2:6: result of pattern \"b\": 7 is not a result: write ok, \"!\" in quotes, or a target dataset\nzmapfilter: " + file + ":1:1: pattern \"a<<\": \"<\" is allowed once, at the end\nzmapfilter: " + file + ":3:1: pattern \"c/\": ends with \"/\"\n", 2},
		{"-r tank=false", "tank\n", "zmapfilter: -r \"tank=false\": result \"false\" of pattern \"tank\": it is not a result: write \"!\" in quotes to leave the dataset out\n", 2},
		{"-r tank<=ok -r tank/a=NO", "tank/a\n", "zmapfilter: -r \"tank/a=NO\": result \"NO\" of pattern \"tank/a\": it is not a result: write \"!\" in quotes to leave the dataset out\n", 2},
		{"-r tank<=Yes -map", "tank\n", "zmapfilter: -r \"tank<=Yes\": result \"Yes\" of pattern \"tank<\": it is not a result: write ok in a filter, or a target dataset in a map\n", 2},
		{"-r tank=nope -r tank/a=!", "tank\n", "zmapfilter: -r \"tank=nope\": result \"nope\" of pattern \"tank\": a filter's result is ok or \"!\"\n", 2},
		{"-r tank<=ok -r tank/a=not/this", "tank/a\n", "zmapfilter: -r \"tank/a=not/this\": result \"not/this\" of pattern \"tank/a\": a filter's result is ok or \"!\"\n", 2},
		{"-r tank<=ok -r tank/a=nope -explain", "tank/a\n", "zmapfilter: -r \"tank/a=nope\": result \"nope\" of pattern \"tank/a\": a filter's result is ok or \"!\"\n", 2},
		{"-f " + words, "", "zmapfilter: " + words + ":1:9: result of pattern \"tank\": false: it is not a result: write \"!\" in quotes to leave the dataset out\nzmapfilter: " + words + ":2:4: result of pattern \"a\": nothing: write \"!\" in quotes to leave the dataset out\nzmapfilter: " + words + ":5:1: pattern: true is not a pattern: write a dataset, or a dataset and \"<\"\nzmapfilter: " + words + ":3:6: result \"false\" of pattern \"b\": it is not a result: write \"!\" in quotes to leave the dataset out\nzmapfilter: " + words + ":4:4: result \"no\" of pattern \"c\": it is not a result: write \"!\" in quotes to leave the dataset out\n", 2},
		{"-f " + dir, "", "zmapfilter: cannot read rules \"" + dir + "\": is a directory\n", 2},
		{"-f " + dir + "/none", "", "zmapfilter: cannot read rules \"" + dir + "/none\": no such file or directory\n", 2},
		{"-f /dev/null", "", "zmapfilter: /dev/null: no rules: the file is empty\n", 2},
		{"-f /dev/zero", "", "zmapfilter: /dev/zero: longer than 8388608 bytes\n", 2},
		{"-r a<=t -r b<=t -map", "a\nc\nb\n", "zmapfilter: cannot map \"b\": \"a\" has the same target, \"t\"\n", 1},
		{"-r a<=t -r b<=t -invert", "t/x\n", "zmapfilter: cannot invert \"t/x\": it could come from \"a/x\" and from \"b/x\"\n", 1},
		{"-r a<=t -map", "a/" + strings.Repeat("x", 300) + "\n", "zmapfilter: cannot map \"a/" + strings.Repeat("x", 300) + "\": target of 302 bytes: at most 255\n", 1},
		{"-r a<=t -map", strings.Repeat("x", 2<<20), "zmapfilter: record 1 is longer than 1048576 bytes\n", 1},
	} {
		stdout, stderr, status := call(t, test.stdin, strings.Fields(test.args)...)
		if stdout != "" || status != test.status || !strings.HasPrefix(stderr, test.stderr) ||
			!strings.HasSuffix(test.stderr, "usage: ") && stderr != test.stderr {
			t.Errorf("%s: %d, stdout %q\n got %s\nwant %s", test.args, status, stdout, stderr, test.stderr)
		}
	}
}

// TestCollisionStream: where rules cannot make two sources meet, lines go out
// while the input is still open; where they can, none does before its end.
func TestCollisionStream(t *testing.T) {
	stdout, _, status := call(t, "a\nb/x\na/x\n", "-r", "a<=t", "-r", "b<=t", "-map")
	if stdout != "" || status != 1 {
		t.Errorf("%d: %q came out before the collision was found", status, stdout)
	}
	stdout, _, status = call(t, "a\nb/x\na/y\na@s\na@t\n", "-r", "a<=t", "-r", "b<=t", "-map")
	if want := "a\tt\nb/x\tt/x\na/y\tt/y\na@s\tt@s\na@t\tt@t\n"; stdout != want || status != 0 {
		t.Errorf("%d: %q, want %q", status, stdout, want)
	}
}

// TestDescriptor reads rules from an inherited descriptor.
func TestDescriptor(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(w, "{a<: ok}\n")
	w.Close()
	c := exec.Command(tool, "-f", "/dev/fd/3")
	c.ExtraFiles = []*os.File{r}
	c.Stdin = strings.NewReader("a/b\nc\n")
	if stdout, stderr, status := finish(t, c); stdout != "a/b\n" || status != 0 {
		t.Errorf("%d, %q, %s", status, stdout, stderr)
	}
}

// TestClosedPipe: a reader that goes away ends the filter quietly.
func TestClosedPipe(t *testing.T) {
	c := exec.Command("sh", "-c", `(yes tank | "$0" -r 'tank=ok'; echo "status $?" >&2) | head -n 1`, tool)
	stdout, stderr, _ := finish(t, c)
	if stdout != "tank\n" || !strings.HasSuffix(stderr, "status 141\n") || strings.Contains(stderr, "zmapfilter") {
		t.Errorf("stdout %q, stderr %q", stdout, stderr)
	}
}

func TestFullDisk(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Log("this system has no /dev/full")
		return
	}
	defer full.Close()
	var errs bytes.Buffer
	c := exec.Command(tool, "-r", "a=ok")
	c.Stdin, c.Stdout, c.Stderr = strings.NewReader("a\n"), full, &errs
	if err := c.Run(); c.ProcessState.ExitCode() != 1 || !strings.Contains(errs.String(), "no space left on device") {
		t.Errorf("%v: %s", err, errs.String())
	}
}

// TestSize maps 100,000 names by 10,000 rules and by 10, and prints what it
// takes: user and system time, of three runs the best, and memory. Beside other
// work on the same processor one measurement may be wrong, but not five.
func TestSize(t *testing.T) {
	dir := t.TempDir()
	names := filepath.Join(dir, "names")
	func() { // in files, because a child's figure counts what its parent had
		f, err := os.Create(names)
		if err != nil {
			t.Fatal(err)
		}
		w := bufio.NewWriter(f)
		for i := range 100_000 {
			fmt.Fprintf(w, "tank/p%d/q%d/data/n%d\t%d\n", i%10, i%10_000, i, i)
		}
		if err := errors.Join(w.Flush(), f.Close()); err != nil {
			t.Fatal(err)
		}
	}()
	cost := func(rules int) (time.Duration, int64) {
		var text strings.Builder
		for i := range rules {
			pattern := fmt.Sprintf("tank/p%d", i)
			if rules > 10 {
				pattern = fmt.Sprintf("tank/p%d/q%d", i%10, i)
			}
			fmt.Fprintf(&text, "\"%s<\": \"backup/host/x%d\"\n", pattern, i)
		}
		file := filepath.Join(dir, fmt.Sprint(rules))
		if err := os.WriteFile(file, []byte(text.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		best, memory := time.Hour, int64(0)
		for range 3 {
			c := exec.Command("sh", "-c", `exec "$0" -f "$1" -map <"$2" >"$3"`, tool, file, names, names+".out")
			if _, stderr, status := finish(t, c); status != 0 {
				t.Fatalf("%d: %s", status, stderr)
			}
			if out, err := exec.Command("wc", "-l", names+".out").Output(); err != nil || !strings.HasPrefix(strings.TrimSpace(string(out)), "100000 ") {
				t.Fatalf("%v: %s", err, out)
			}
			best = min(best, c.ProcessState.UserTime()+c.ProcessState.SystemTime())
			memory = max(memory, c.ProcessState.SysUsage().(*syscall.Rusage).Maxrss)
		}
		return best, memory >> 10
	}
	for range 5 {
		few, fewMiB := cost(10)
		many, manyMiB := cost(10_000)
		t.Logf("100,000 names by 10 rules: %v, %d MiB; by 10,000 rules: %v, %d MiB; ratio %.2f", few, fewMiB, many, manyMiB, float64(many)/float64(few))
		if many <= time.Second && manyMiB <= 64 && many <= 2*few {
			return
		}
	}
	t.Error("that is too much: 1 s, 64 MiB and twice the time of 10 rules are allowed")
}
