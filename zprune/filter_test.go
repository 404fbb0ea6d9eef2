package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// try runs zprune within this process, as a filter.
func try(in string, args ...string) (stdout, stderr string, status int) {
	var out, errs bytes.Buffer
	status = run(context.Background(), args, strings.NewReader(in), &out, &errs)
	return out.String(), errs.String(), status
}

const hour = 3600

// hourly has snapshots of a dataset at these ages in hours, the newest at 100 h.
func hourly(ds string, ages ...int) string {
	var b strings.Builder
	for _, age := range ages {
		fmt.Fprintf(&b, "%s@zrepl_%03d\t%d\t%d\t0\n", ds, age, (100-age)*hour, 1000-age)
	}
	return b.String()
}

func TestVictims(t *testing.T) {
	two := hourly("p/a", 0, 1, 2, 3) + hourly("p/b", 5, 4, 0)
	manual := "p/a@manual\t0\t1\t0\n"
	for name, c := range map[string]struct {
		in   string
		args []string
		want string
	}{
		"nothing":             {"", []string{"-grid", "1x1h"}, ""},
		"oldest first":        {hourly("p/a", 0, 1, 3, 2, 4), []string{"-keep-last", "2"}, "p/a@zrepl_004 p/a@zrepl_003 p/a@zrepl_002"},
		"each dataset":        {two, []string{"-keep-last", "2"}, "p/a@zrepl_003 p/a@zrepl_002 p/b@zrepl_005"},
		"grid":                {hourly("p/a", 0, 1, 2, 3, 4, 5, 6), []string{"-grid", "1x2h | 1x3h"}, "p/a@zrepl_006 p/a@zrepl_004 p/a@zrepl_003 p/a@zrepl_001"},
		"two rules":           {hourly("p/a", 0, 1, 2, 3), []string{"-keep-last", "2", "-keep-regex", "_003$"}, "p/a@zrepl_002"},
		"foreign":             {manual + hourly("p/a", 0, 1), []string{"-keep-last", "1"}, "p/a@zrepl_001"},
		"no prefix":           {manual + hourly("p/a", 0, 1), []string{"-keep-last", "1", "-prefix", ""}, "p/a@manual p/a@zrepl_001"},
		"other prefix":        {manual + hourly("p/a", 0, 1), []string{"-keep-last", "1", "-prefix", "man"}, ""},
		"held":                {"p/a@zrepl_1\t1\t1\t1\np/a@zrepl_2\t2\t2\t0\np/a@zrepl_3\t3\t3\t0\n", []string{"-keep-last", "1"}, "p/a@zrepl_2"},
		"two columns":         {"p/a@zrepl_1\t1\np/a@zrepl_2\t2\n", []string{"-keep-last", "1"}, "p/a@zrepl_1"},
		"createtxg decides":   {"p/a@zrepl_1\t5\t9\np/a@zrepl_2\t5\t8\n", []string{"-keep-last", "1"}, "p/a@zrepl_2"},
		"more columns":        {"p/a@zrepl_1\t1\t1\t0\tx\ty\np/a@zrepl_2\t2\t2\t0\t\t\n", []string{"-keep-last", "1"}, "p/a@zrepl_1"},
		"cols":                {"1\tx\tp/a@zrepl_1\n2\tx\tp/a@zrepl_2\n", []string{"-keep-last", "1", "-cols", "creation,-,name"}, "p/a@zrepl_1"},
		"clones":              {"p/a@zrepl_1\t1\tp/c\np/a@zrepl_2\t2\t-\np/a@zrepl_3\t3\t\n", []string{"-keep-last", "1", "-cols", "name,creation,clones"}, "p/a@zrepl_2"},
		"now keeps the later": {hourly("p/a", 0, 1, 2, 3, 4), []string{"-grid", "1x2h", "-now", strconv.Itoa(98 * hour)}, "p/a@zrepl_003"},
		"unsorted":            {"p/a@zrepl_1\t1\np/b@zrepl_1\t1\np/a@zrepl_2\t2\np/b@zrepl_2\t2\n", []string{"-keep-last", "1", "-unsorted"}, "p/a@zrepl_1 p/b@zrepl_1"},
		"no final newline":    {"p/a@zrepl_1\t1\np/a@zrepl_2\t2", []string{"-keep-last", "1"}, "p/a@zrepl_1"},
		"spaces in names":     {"p/a b@zrepl_1 x\t1\np/a b@zrepl_2\t2", []string{"-keep-last", "1"}, "p/a b@zrepl_1 x"},
	} {
		got, errs, status := try(c.in, c.args...)
		want := ""
		for _, word := range strings.Split(strings.ReplaceAll(strings.ReplaceAll(c.want, "p/a b@zrepl_1 x", "p/a b@zrepl_1\x00x"), " p/", "\np/"), "\n") {
			if word != "" {
				want += strings.ReplaceAll(word, "\x00", " ") + "\n"
			}
		}
		if status != 0 || errs != "" {
			t.Errorf("%s: status %d: %s", name, status, errs)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestExplain(t *testing.T) {
	in := "p/a@other\t1\t1\t0\tmore\n" +
		"p/a@zrepl_1\t3600\t2\t1\np/a@zrepl_2\t3660\t3\t0\np/a@zrepl_3\t3700\t4\t0\np/a@zrepl_4\t8000\t5\t0\np/a@zrepl_5\t8000\t6\t0\n"
	got, errs, status := try(in, "-explain", "-grid", "1x10min | 1x1h", "-keep-last", "2")
	want := "keep\tprefix\tp/a@other\t1\t1\t0\tmore\n" +
		"keep\theld\tp/a@zrepl_1\t3600\t2\t1\n" +
		"destroy\tgrid end, last_n 2\tp/a@zrepl_2\t3660\t3\t0\n" +
		"destroy\tgrid end, last_n 2\tp/a@zrepl_3\t3700\t4\t0\n" +
		"keep\tanchor\tp/a@zrepl_4\t8000\t5\t0\n" +
		"keep\tnewest\tp/a@zrepl_5\t8000\t6\t0\n"
	if status != 0 || errs != "" || got != want {
		t.Errorf("status %d, %s\n%s", status, errs, cmp.Diff(want, got))
	}
}

func TestTimeline(t *testing.T) {
	got, errs, status := try(hourly("p/a", 0, 1, 2, 3, 4)+hourly("p/b", 0), "-timeline", "-grid", "2x1h")
	want := `p/a: 3 kept, 2 destroyed; newest 1970-01-05 04:00:00
  interval               to age           keep  destroy  young to old
  newest                 0s                  1        0  1
  2x1h                   2h                  2        0  11
  older                                      0        2  .
p/b: 1 kept, 0 destroyed; newest 1970-01-05 04:00:00
  interval               to age           keep  destroy  young to old
  newest                 0s                  1        0  1
  2x1h                   2h                  0        0  __
  older                                      0        0  _
a character is a bucket: 1 to 9 are kept, + more are kept, . none is kept, _ no snapshot
`
	if status != 0 || errs != "" || got != want {
		t.Errorf("status %d, %s\n%s", status, errs, cmp.Diff(want, got))
	}
}

func TestProtect(t *testing.T) {
	file := filepath.Join(t.TempDir(), "bases")
	in := "p/a@zrepl_1\t1\t11\np/a@zrepl_2\t2\t12\np/a@zrepl_3\t3\t13\np/a@zrepl_4\t4\t14\n"
	for _, c := range []struct{ protect, want, errs string }{
		{"p/a@zrepl_1\n", "p/a@zrepl_2\np/a@zrepl_3\n", ""},
		{"12\tp/x\nother/b@zrepl_1\n", "p/a@zrepl_1\np/a@zrepl_3\n", ""},
		{"", "p/a@zrepl_1\np/a@zrepl_2\np/a@zrepl_3\n", ""},
		{"p/a\n", "", `record 1: "p/a" is neither a snapshot nor a guid`},
		{"p/a@zrepl_1\np/a#zrepl_2\n", "", `record 2: "p/a#zrepl_2" is neither a snapshot nor a guid`},
	} {
		if err := os.WriteFile(file, []byte(c.protect), 0o600); err != nil {
			t.Fatal(err)
		}
		got, errs, status := try(in, "-keep-last", "1", "-protect", file, "-cols", "name,creation,guid")
		if got != c.want || !strings.Contains(errs, c.errs) || (c.errs == "") != (status == 0) {
			t.Errorf("%q: status %d, %q, %s", c.protect, status, got, errs)
		}
	}
	if err := os.WriteFile(file, []byte("12\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, errs, status := try(in, "-keep-last", "1", "-protect", file); status != 2 || !strings.Contains(errs, "-cols") {
		t.Errorf("guids to protect in lines without guids: status %d, %s", status, errs)
	}
	if _, _, status := try(in, "-keep-last", "1", "-protect", file+".none"); status != 2 {
		t.Errorf("no file of what to protect: status %d", status)
	}
}

func TestBadLines(t *testing.T) {
	good := "p/a@zrepl_1\t1\n"
	for line, want := range map[string]string{
		"p/a@zrepl_2":                       "line 2, byte 12: no tab: a line is a name, a tab and a creation",
		"":                                  "line 2, byte 1: no tab: a line is a name, a tab and a creation",
		"p/a@zrepl_2\t-5":                   `line 2, byte 13: the creation "-5" is negative`,
		"p/a@zrepl_2\t":                     "line 2, byte 13: the creation is empty",
		"p/a@zrepl_2\t12x":                  `line 2, byte 15: the creation "12x" is not a whole number`,
		"p/a@zrepl_2\tSun Nov 22":           `line 2, byte 13: the creation "Sun Nov 22" is not a whole number`,
		"p/a@zrepl_2\t18446744073709551616": "line 2, byte 13: the creation 18446744073709551616 is too large",
		"p/a@zrepl_2\t1\tx":                 `line 2, byte 15: the createtxg "x" is not a whole number`,
		"p/a@zrepl_2\t1\t1\tx":              `line 2, byte 17: the userrefs "x" is not a whole number`,
		"p/a#mark\t1":                       `line 2, byte 4: "p/a#mark" is a bookmark, not a snapshot`,
		"p/a\t1":                            `line 2, byte 4: "p/a" is a dataset, not a snapshot`,
		"p//a@x\t1":                         `line 2, byte 3: bad dataset name "p//a": empty component at byte 3`,
		"-p/a@x\t1":                         `line 2, byte 1: bad dataset name "-p/a": pool name starts with '-': it must start with a letter`,
		"p/a@b@c\t1":                        `line 2, byte 6: bad snapshot name "p/a@b@c": character '@' at byte 2`,
		"p/a@b,c\t1":                        `line 2, byte 6: bad snapshot name "p/a@b,c": character ',' at byte 2`,
		"p/a@\t1":                           `line 2, byte 5: bad snapshot name "p/a@": empty component at byte 1`,
		"p/a@a%b\t1":                        `line 2, byte 6: bad snapshot name "p/a@a%b": character '%' at byte 2`,
		"p/a@a\x01b\t1":                     `line 2, byte 6: bad snapshot name "p/a@a\x01b": character '\x01' at byte 2`,
		"p/" + strings.Repeat("a", 250) + "@abc\t1": "line 2, byte 256: a name of 256 bytes: at most 255",
	} {
		out, errs, status := try(good+line+"\n"+good, "-keep-last", "1", "-prefix", "")
		first, _, _ := strings.Cut(errs, "\n")
		if status != 1 || out != "" || first != "zprune: "+want {
			t.Errorf("%q: status %d, output %q\n%s\nwant %s", line, status, out, first, want)
		}
	}
	again := "p/a@zrepl_1\t1\np/b@zrepl_1\t1\np/a@zrepl_2\t2\n"
	if _, errs, status := try(again, "-keep-last", "1"); status != 1 || !strings.Contains(errs, `line 3, byte 1: dataset "p/a" again`) {
		t.Errorf("a dataset in two places: status %d, %s", status, errs)
	}
	long := "p/a@zrepl_1\t1\t" + strings.Repeat("x", 2<<20) + "\n"
	if _, errs, status := try(long, "-keep-last", "1"); status != 1 || !strings.Contains(errs, "longer than") {
		t.Errorf("an endless line: status %d, %.100s", status, errs)
	}
	if _, errs, status := try("p/a@zrepl_1\t1\t2\n", "-keep-last", "1", "-cols", "name,creation,createtxg,userrefs"); status != 1 ||
		!strings.Contains(errs, "line 1, byte 16: 3 columns instead of 4") {
		t.Errorf("a column is missing: status %d, %s", status, errs)
	}
}

func TestBadUsage(t *testing.T) {
	file := filepath.Join(t.TempDir(), "policy")
	if err := os.WriteFile(file, []byte("keep:\n- {type: grid, grid: 1x1h(keep=0)}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args string
		want string
	}{
		{"", "no policy: give -grid, -calendar, -keep-last, -keep-regex or -policy"},
		{"-grid;1x1h(keep=0)", `grid "1x1h(keep=0)": byte 11: keep must be at least 1`},
		{"-grid;0x1h", `grid "0x1h": byte 1: a number of buckets must be at least 1`},
		{"-grid;1x1d | 2x1h", `byte 8: 2x1h has shorter buckets than 1x1d before it`},
		{"-grid;1x1q", `byte 4: unit "q" is not known`},
		{"-grid;99999999999999999999x1h", "byte 1: a number of buckets of 99999999999999999999 is too large"},
		{"-grid;1X1H", "byte 2: expected x"},
		{"-keep-last;0", "it must be at least 1"},
		{"-keep-last;two", "it must be a whole number"},
		{"-keep-regex;(", "missing closing )"},
		{"-policy;" + file, file + `:2:22: grid "1x1h(keep=0)": byte 11: keep must be at least 1`},
		{"-policy;" + file + ".none", "cannot read the policy"},
		{"-keep-last;1;-cols;name", `column "creation" is missing`},
		{"-keep-last;1;-cols;name,creation,size", `column "size" is unknown: known are `},
		{"-keep-last;1;-cols;name,creation,name", `column "name" is named twice`},
		{"-keep-last;1;-now;yesterday", "it must be a time"},
		{"-keep-last;1;-r", "-r is for datasets"},
		{"-keep-last;1;-destroy;-max;-1", "-max must not be negative"},
		{"-keep-last;1;-explain;-timeline", "exclude each other"},
		{"-keep-last;1;-unsorted;p/a", "-unsorted are for lines"},
		{"-keep-last;1;p/a@b", `bad dataset name "p/a@b"`},
		{"-keep-last;1;--;-p", `bad dataset name "-p"`},
		{"-keep-last;1;-simulate;sometimes", `simulation "sometimes": byte 1`},
		{"-keep-last;1;-simulate;every 1h for 1d;-destroy", "-simulate takes no datasets"},
		{"-keep-last;1;-frobnicate", "flag provided but not defined"},
	} {
		var args []string
		if c.args != "" {
			args = strings.Split(c.args, ";")
		}
		out, errs, status := try("", args...)
		if status != 2 || out != "" || !strings.Contains(errs, c.want) {
			t.Errorf("%s: status %d, output %q, %s\nwant %s", c.args, status, out, errs, c.want)
		}
	}
}

func TestSimulate(t *testing.T) {
	out, errs, status := try("", "-grid", "1x1h(keep=all) | 24x1h", "-simulate", "every 10m for 7d", "-now", "2026-01-02")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if status != 0 || len(lines) != 31 || lines[30] != "simulated@zrepl_20260102_000000_000\t1767312000\t1008" {
		t.Fatalf("status %d, %s, %d lines:\n%s", status, errs, len(lines), out)
	}
	// What the policy has left it leaves again.
	if again, errs, status := try(out, "-grid", "1x1h(keep=all) | 24x1h"); again != "" || status != 0 {
		t.Errorf("status %d, %s: %s", status, errs, again)
	}
	picture, _, _ := try("", "-grid", "1x1h(keep=all) | 24x1h", "-simulate", "every 10m for 7d", "-timeline")
	if !strings.Contains(picture, "  24x1h                  1d1h               24        0  111111111111111111111111\n") {
		t.Errorf("timeline:\n%s", picture)
	}
}

// A snapshot from the future stays, is warned of, and makes no other go.
func TestNewestInTheFuture(t *testing.T) {
	good := hourly("p/a", 0, 1, 2)
	want, _, _ := try(good, "-grid", "1x1h")
	for _, ahead := range []string{"32503680000", "9223372036854775807", "9223372036854775808", "18446744073709551615"} {
		in := good + "p/a@zrepl_9\t" + ahead + "\t2000\n" + hourly("p/b", 0, 1)
		out, errs, status := try(in, "-grid", "1x1h")
		if status != 0 || out != want || want != "p/a@zrepl_002\n" || strings.Count(errs, "\n") != 1 ||
			!strings.HasPrefix(errs, `zprune: warning: snapshot "p/a@zrepl_9" was created in the future, at `) {
			t.Errorf("%s: status %d, %q, %s", ahead, status, out, errs)
		}
		if out, errs, status := try(in, "-grid", "1x1h", "-now", strconv.Itoa(100*hour)); status != 0 || errs != "" || out != want {
			t.Errorf("with -now: status %d, %q, %s", status, out, errs)
		}
		if out, _, _ := try(in, "-grid", "1x1h", "-explain"); !strings.Contains(out, "keep\tnewest\tp/a@zrepl_9") || !strings.Contains(out, "keep\tnewest\tp/a@zrepl_000") {
			t.Errorf("%s", out)
		}
	}
}

func TestNUL(t *testing.T) {
	out, errs, status := try("p/a@zrepl_1\t1\x00p/a@zrepl_2\t2\x00", "-0", "-keep-last", "1")
	if out != "p/a@zrepl_1\x00" || status != 0 {
		t.Errorf("status %d, %q, %s", status, out, errs)
	}
}

func FuzzLines(f *testing.F) {
	f.Add("p/a@zrepl_1\t1\t1\t0\np/a@zrepl_2\t2\t2\t1\n")
	f.Add("p/a@zrepl_1\t-1\n")
	f.Add("p/a#b\t1\n\t\n@\t1\np@\t1")
	f.Fuzz(func(t *testing.T, in string) {
		out, errs, status := try(in, "-grid", "1x1s | 3x2s", "-prefix", "")
		if status != 0 && status != 1 || (status == 1) != strings.Contains("\n"+strings.ReplaceAll(errs, "zprune: warning: ", ""), "\nzprune: ") {
			t.Fatalf("%q: status %d, %s", in, status, errs)
		}
		for name := range strings.SplitSeq(strings.TrimSuffix(out, "\n"), "\n") {
			if out != "" && !strings.Contains(in, name+"\t") {
				t.Fatalf("%q: %q goes and was never there", in, name)
			}
		}
		lines, _, status2 := try(in, "-explain", "-grid", "1x1s | 3x2s", "-prefix", "")
		if status2 != status || strings.Count(lines, "destroy\t") < strings.Count(out, "\n") {
			t.Fatalf("%q: explained as %q", in, lines)
		}
	})
}
