package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/plan"
)

// tool runs zreplctl with text as its standard input and returns what it says.
func tool(t *testing.T, stdin string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	dir := t.TempDir()
	in := filepath.Join(dir, "in")
	if err := os.WriteFile(in, []byte(stdin), 0o600); err != nil {
		t.Fatal(err)
	}
	stdinFile, err := os.Open(in)
	if err != nil {
		t.Fatal(err)
	}
	defer stdinFile.Close()
	out, err := os.Create(filepath.Join(dir, "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	var talk bytes.Buffer
	status = run(context.Background(), args, stdinFile, out, &talk)
	text, err := os.ReadFile(out.Name())
	if err != nil {
		t.Fatal(err)
	}
	return status, string(text), talk.String()
}

func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// tabs writes lines with tabs for runs of spaces.
func tabs(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) > 0 {
			b.WriteString(strings.Join(f, "\t") + "\n")
		}
	}
	return b.String()
}

func TestSteps(t *testing.T) {
	source := file(t, "source", tabs(`
		tank            900 1
		tank/a          901 2
		tank/a@s1       1   10
		tank/a@s2       2   20
		tank/a@s3       3   30
		tank/b          902 3
		tank/b@s2       12  20
		tank/b#mark     11  10
		tank/c          903 4
		tank/c@s1       21  10
		tank/d          904 4
		tank/d@s1       31  10
		tank/d@s2       32  20
		tank/new/deep   905 5
		tank/new/deep@s1 41 10
		tank/p          906 6
		tank/p@s1       51  10`))
	target := file(t, "target", tabs(`
		back/x          800 1
		back/x/a        801 2
		back/x/a@s1     1   110
		back/x/b        802 3
		back/x/b@s1     11  110
		back/x/c        803 4
		back/x/c@other  77  110
		back/x/d        804 5
		back/x/d@s1     31  110
		back/x/p        805 6`))
	state := file(t, "state", tabs(`
		back/x/d  written               8192
		back/x/p  zreplctl:placeholder  on
		back/x/p  receive_resume_token  -
		back/x/a  zreplctl:send         L`))
	want := []string{
		"no-snapshots|tank|back/x|-|-",
		"incremental|tank/a|back/x/a|@s1|@s2",
		"incremental|tank/a|back/x/a|@s2|@s3",
		"incremental|tank/b|back/x/b|#mark|@s2",
		"unrelated|tank/c|back/x/c|-|-",
		"modified|tank/d|back/x/d|@s1|-",
		"placeholder|-|back/x/new|-|-",
		"full|tank/new/deep|back/x/new/deep|-|@s1",
		"full|tank/p|back/x/p|-|@s1",
	}
	rule := []string{"steps", "-r", "tank<=back/x"}
	status, out, errs := tool(t, "", append(rule, "-state", state, source, target)...)
	compare(t, status, out, errs, want)
	merged := append(append([]string{}, want[:1]...), "incremental|tank/a|back/x/a|@s1|@s3")
	status, out, errs = tool(t, "", append(rule, source, target, "-state", state, "-merge")...)
	compare(t, status, out, errs, append(merged, want[3:]...))
	newest := append(append([]string{}, want[:1]...), "incremental|tank/a|back/x/a|@s1|@s3")
	status, out, errs = tool(t, "", append(rule, source, target, "-state", state, "-newest")...)
	compare(t, status, out, errs, append(newest, want[3:]...))
	if status, _, errs = tool(t, "", append(rule, source, target, "-newest", "-initial", "all")...); status != 2 || !strings.Contains(errs, "-newest is not allowed with -initial all") {
		t.Errorf("%d, %s", status, errs)
	}

	t.Run("cautious without state", func(t *testing.T) {
		status, out, errs := tool(t, "", "steps", "-r", "tank/p=back/x/p", source, target)
		compare(t, status, out, errs, []string{"unrelated|tank/p|back/x/p|-|-"})
	})
	t.Run("standard input", func(t *testing.T) {
		status, out, errs := tool(t, tabs("tank/c 1 1\n tank/c@x 5 5"), "steps", "-r", "tank/c=back/x/new", "-", target)
		compare(t, status, out, errs, []string{"full|tank/c|back/x/new|-|@x"})
	})
}

func compare(t *testing.T, status int, out, errs string, want []string) {
	t.Helper()
	var got []string
	for line := range strings.Lines(out) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(f) != 6 {
			t.Errorf("line %q has %d fields", line, len(f))
			continue
		}
		got = append(got, strings.Join(f[:5], "|"))
	}
	if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); status != 0 || g != w {
		t.Errorf("status %d, %s\ngot:\n%s\nwant:\n%s", status, errs, g, w)
	}
}

func TestStepsBadInput(t *testing.T) {
	good := file(t, "good", tabs("tank/a 1 1\n tank/a@s 2 2\n tank/b 1 1"))
	bad := func(text string) string { return file(t, "bad", text) }
	for _, c := range []struct {
		args   []string
		status int
		want   string
	}{
		{[]string{good}, 2, "not 1 arguments"},
		{[]string{good, "/nonexistent"}, 1, `cannot open "/nonexistent": no such file or directory`},
		{[]string{good, bad("tank/a 1 1\n")}, 1, "line 1: not NAME, GUID and CREATETXG"},
		{[]string{good, bad("tank/a\t1\t1\ntank/a@s\tx\t1\n")}, 1, `line 2: guid "x"`},
		{[]string{good, bad("tank/a@s\t1\t-1\n")}, 1, `line 1: createtxg "-1"`},
		{[]string{bad("tank/a@s@t\t1\t1\n"), good}, 1, `"tank/a@s@t"`},
		{[]string{bad("-R\t1\t1\n"), good}, 1, `line 1: "-R"`},
		{[]string{bad("a\x1b[m\t1\t1\n"), good}, 1, `line 1: "a\x1b[m"`},
		{[]string{bad(strings.Repeat("a", 1<<20)), good}, 1, "line 1"},
		{[]string{"-r", "tank/a", good, good}, 2, "no = in rule"},
		{[]string{"-r", "tank/a=ok", good, good}, 2, "ok"},
		{[]string{"-r", "tank/a=x/y", "-r", "tank/b=x/y", good, good}, 2, `cannot plan "x/y": both "tank/a" and "tank/b" map to it`},
		{[]string{"-initial", "some", good, good}, 2, "initial policy"},
		{[]string{"-send", "Z", good, good}, 2, "send option"},
		{[]string{"-state", bad("a\tb\n"), good, good}, 1, "line 1: not NAME, KEY and VALUE"},
		{[]string{"-state", bad("tank/a\twriten\t1\n"), good, good}, 1, `line 1: unknown key "writen"`},
		{[]string{"-state", bad("tank/a\twritten\tmuch\n"), good, good}, 1, `line 1: written: "much"`},
	} {
		status, out, errs := tool(t, "", append([]string{"steps"}, c.args...)...)
		if status != c.status || !strings.Contains(errs, c.want) || !strings.HasPrefix(errs, "zreplctl: ") || out != "" {
			t.Errorf("%q: status %d, output %q, errors %q; want %d and %q", c.args, status, out, errs, c.status, c.want)
		}
	}
}

// TestStepsPrintsThePlan writes random histories as lists and state, and holds
// what steps prints against the plan made of the histories themselves.
func TestStepsPrintsThePlan(t *testing.T) {
	runs := 200
	if os.Getenv("ZT_HEAVY") != "" {
		runs = 3000
	}
	lines := 0
	for seed := range runs {
		rng := rand.New(rand.NewPCG(uint64(seed), 11))
		var src, dst, state strings.Builder
		var ins []plan.Input
		exists := map[string]bool{}
		fmt.Fprintf(&dst, "b\t1\t1\n")
		exists["b"] = true
		for n := range 50 {
			in := randomInput(rng, fmt.Sprintf("p/d%02d", n))
			ins = append(ins, in)
			writeList(&src, in.Source, in.Sender)
			if in.Receiver != nil {
				exists[in.Target] = true
				writeList(&dst, in.Target, in.Receiver.Versions)
				writeState(&state, in)
			}
		}
		policy := plan.Policy{Merge: rng.IntN(2) == 0, Initial: []plan.Initial{plan.MostRecent, plan.Every}[rng.IntN(2)]}
		newest := policy.Initial == plan.MostRecent && rng.IntN(3) == 0
		if newest {
			policy.Rules = &plan.Rules{Newest: true}
		}
		there := func(ds string) (plan.Host, bool) { return plan.Host{KeyLoaded: true}, exists[ds] }
		var want strings.Builder
		for _, r := range plan.All(ins, there, policy) {
			lines += writePlan(&want, r)
		}
		args := []string{"steps", "-r", "p<=b", "-initial", string(policy.Initial), "-state", file(t, "state", state.String())}
		if policy.Merge {
			args = append(args, "-merge")
		}
		if newest {
			args = append(args, "-newest")
		}
		args = append(args, file(t, "src", src.String()), file(t, "dst", dst.String()))
		if status, got, errs := tool(t, "", args...); status != 0 || got != want.String() {
			t.Fatalf("seed %d: status %d %s\ngot:\n%s\nwant:\n%s", seed, status, errs, got, want.String())
		}
	}
	t.Logf("%d lists, %d lines", runs, lines)
}

func randomInput(rng *rand.Rand, source string) plan.Input {
	in := plan.Input{Source: source, Target: "b" + strings.TrimPrefix(source, "p"), Send: dataset.SendOptions{LargeBlocks: true}}
	var theirs []dataset.Version
	for i := range rng.IntN(8) {
		v := dataset.Version{Kind: dataset.Snapshot, Name: fmt.Sprintf("s%d", i), GUID: dataset.GUID(rng.Uint64() | 1), CreateTXG: uint64(10 * i)}
		if w := v; rng.IntN(3) > 0 {
			w.CreateTXG += 500
			theirs = append(theirs, w)
		}
		switch rng.IntN(6) {
		case 0:
			continue
		case 1:
			v.Kind = dataset.Bookmark
		}
		in.Sender = append(in.Sender, v)
	}
	if rng.IntN(4) == 0 {
		theirs = append(theirs, dataset.Version{Kind: dataset.Snapshot, Name: "own", GUID: 7, CreateTXG: 900})
	}
	if rng.IntN(4) == 0 {
		return in
	}
	in.Receiver = &plan.Receiver{Versions: theirs, Placeholder: rng.IntN(4) == 0}
	if rng.IntN(3) == 0 {
		in.Receiver.Written = plan.WrittenBytes(rng.Uint64N(2) * 4096)
	}
	if rng.IntN(3) == 0 {
		o := []dataset.SendOptions{{}, {LargeBlocks: true}, {Raw: true}}[rng.IntN(3)]
		in.Receiver.Sent = &o
	}
	if base, ok := plan.Needs(in); ok && base.Name != "" && rng.IntN(2) == 0 {
		in.Receiver.WrittenBase = plan.WrittenBytes(rng.Uint64N(2) * 4096)
	}
	return in
}

func writeList(w *strings.Builder, ds string, vs []dataset.Version) {
	fmt.Fprintf(w, "%s\t1\t1\n", ds)
	for _, v := range vs {
		fmt.Fprintf(w, "%s\t%s\t%d\n", v.Full(ds), v.GUID, v.CreateTXG)
	}
}

func writeState(w *strings.Builder, in plan.Input) {
	r := in.Receiver
	if r.Placeholder {
		fmt.Fprintf(w, "%s\tplaceholder\ton\n", in.Target)
	}
	if r.Written.Known {
		fmt.Fprintf(w, "%s\twritten\t%d\n", in.Target, r.Written.Bytes)
	}
	if r.Sent != nil {
		fmt.Fprintf(w, "%s\tzreplctl:send\t%s\n", in.Target, r.Sent)
	}
	if base, ok := plan.Needs(in); ok && r.WrittenBase.Known {
		fmt.Fprintf(w, "%s\twritten@%s\t%d\n", in.Target, base.Name, r.WrittenBase.Bytes)
	}
}

func writePlan(w *strings.Builder, r plan.Result) (lines int) {
	or := func(s string) string {
		if s == "" {
			return "-"
		}
		return s
	}
	name := func(v *dataset.Version) string {
		if v == nil {
			return "-"
		}
		return v.String()
	}
	for _, s := range r.Steps {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", s.Kind, or(r.Source), r.Target, name(s.From), name(s.To), s.Reason)
	}
	base := (*dataset.Version)(nil)
	if r.Base != nil {
		base = &r.Base.Sender
	}
	if r.Conflict != nil {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t-\t%s\n", r.Conflict.Reason, r.Source, r.Target, name(base), r.Conflict.Text)
	} else if len(r.Steps) == 0 {
		fmt.Fprintf(w, "uptodate\t%s\t%s\t%s\t-\t%s\n", r.Source, r.Target, name(base), or(r.Discard))
	}
	return len(r.Steps) + 1
}
