package config

import (
	"flag"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write what is printed as what is wanted")

// TestWrong loads every configuration in testdata/wrong and wants the errors
// in the file beside it, a line each.
func TestWrong(t *testing.T) {
	files, err := filepath.Glob("testdata/wrong/*.yml")
	if err != nil || len(files) < 30 {
		t.Fatal(len(files), err)
	}
	for _, path := range files {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".yml"), func(t *testing.T) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			got := frugally(t, func() error {
				_, err := Parse(text, filepath.Base(path), Global{RunDir: "/var/run/zreplctl"})
				return err
			})
			wanted := strings.TrimSuffix(path, ".yml") + ".want"
			if *update {
				os.WriteFile(wanted, []byte(got+"\n"), 0o644)
			}
			want, err := os.ReadFile(wanted)
			if d := cmp.Diff(string(want), got+"\n"); err != nil || d != "" {
				t.Errorf("%v, want -, got +:\n%s", err, d)
			}
		})
	}
	t.Logf("%d wrong configurations", len(files))
}

// frugally returns the error of load, which must be one, and must have cost
// less than 5 seconds, on a machine that may do other things, and 256 MiB.
func frugally(t *testing.T, load func() error) string {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := cpuTime(t)
	err := load()
	took := cpuTime(t) - start
	runtime.ReadMemStats(&after)
	if err == nil {
		t.Fatal("no error")
	}
	if used := (after.TotalAlloc - before.TotalAlloc) >> 20; took > slower*5*time.Second || used > slower*256 {
		t.Errorf("took %v and %d MiB", took, used)
	}
	return err.Error()
}

// cpuTime is what this process has used, which other processes do not change.
func cpuTime(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// TestWrongFiles: what is no file of a sensible size.
func TestWrongFiles(t *testing.T) {
	dir := t.TempDir()
	huge := filepath.Join(dir, "huge.yml")
	if err := os.WriteFile(huge, []byte("jobs:\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(huge, 50<<20); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		huge:                           `cannot read configuration "` + huge + `": it is longer than 524288 bytes`,
		dir:                            `cannot read configuration "` + dir + `": it is a directory`,
		filepath.Join(dir, "none.yml"): `cannot read configuration "` + filepath.Join(dir, "none.yml") + `": no such file or directory`,
		filepath.Join(huge, "x"):       `cannot read configuration "` + filepath.Join(huge, "x") + `": not a directory`,
		"/dev/null":                    `/dev/null: the file is empty`,
		"/dev/zero":                    `cannot read configuration "/dev/zero": it is longer than 524288 bytes`,
	} {
		got := frugally(t, func() error { _, err := Load(path); return err })
		if got != want {
			t.Errorf("%s:\n got %s\nwant %s", path, got, want)
		}
	}
}

// TestHostile: text made to cost much, a quarter as long as a file may be, or all of it with
// ZT_HEAVY.
func TestHostile(t *testing.T) {
	size := maxFile / 4
	if os.Getenv("ZT_HEAVY") != "" {
		size = maxFile
	}
	fill := func(start, part, end string) string {
		return start + strings.Repeat(part, (size-len(start)-len(end))/len(part)) + end
	}
	half := func(part string) string { return strings.Repeat(part, size/2/len(part)) }
	pull := "- {name: a, type: pull, connect: {type: exec, command: [x]}, mapping: "
	for name, text := range map[string]string{
		"same rules":  fill("x: &x\n"+half("  \"a\": ok\n")+"jobs:\n", pull+"*x}\n", ""),
		"same regex":  fill("x: &x {type: regex, regex: "+half("a")+"}\njobs:\n", pull+"{\"<\": b}, keep: [*x,*x,*x]}\n", ""),
		"same grid":   fill("x: &x "+half("1x1d|")+"1x1d\njobs:\n", pull+"{\"<\": b}, prune: {policy: grid, grid: *x}}\n", ""),
		"short regex": fill("x: &x {type: regex, regex: "+strings.Repeat("a*", maxRule/2)+"}\njobs:\n", pull+"{\"<\": b}, keep: [*x,*x,*x]}\n", ""),
		"short grid":  fill("x: &x "+strings.Repeat("1x1d|", maxRule/5-1)+"1x1d\njobs:\n", pull+"{\"<\": b}, prune: {policy: grid, grid: *x}}\n", ""),
		"brackets":    fill("jobs: ", "[", ""),
		"braces":      fill("jobs: ", "{a: ", ""),
		"dashes":      fill("", "- ", "a"),
		"questions":   fill("", "? ", "a"),
		"items":       fill("jobs: [", "a,", "a]"),
		"numbers":     fill("jobs: [", "1,", "1]"),
		"aliases":     fill("x: &x [a, a, a, a, a, a, a, a]\njobs: [", "*x,", "*x]"),
		"nested":      fill("x: &x {type: pull, a: b}\njobs: [", "{mapping: *x},", "*x]"),
		"comments":    fill("jobs:\n", "# a\n", "- a\n"),
		"blank":       fill("jobs:\n", "\n", "- a\n"),
		"one string":  fill("jobs: \"", "a", "\""),
		"one plain":   fill("jobs: ", "a b ", ""),
		"folded":      fill("jobs: >\n", "  a\n\n", ""),
		"keys":        fill("", "a: b\n", ""),
		"anchors":     fill("jobs:\n", "- &a a\n", ""),
		"tags":        fill("jobs:\n", "- !a a\n", ""),
		"documents":   fill("", "---\n", ""),
		"directives":  fill("", "%YAML 1.1\n", "---\n"),
		"escapes":     fill("jobs: \"", `\u0041`, "\""),
		"tabs":        fill("jobs:", "\t", "x"),
		"wrong jobs":  fill("jobs:\n", "- {name: a, type: pul}\n", ""),
		"wrong rules": fill("jobs:\n- name: a\n  type: autosnap\n  snapshot_prefix: x\n  datasets:\n", "    \"a@\": ok\n", ""),
	} {
		t.Run(name, func(t *testing.T) {
			got := frugally(t, func() error { _, err := Parse([]byte(text), "f", Global{RunDir: "/r"}); return err })
			if lines := strings.Count(got, "\n"); lines > maxProblems+1 {
				t.Errorf("%d lines of errors", lines)
			}
		})
	}
}
