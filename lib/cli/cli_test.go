package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/peterbourgon/ff/v3/ffcli"
)

// call runs a tool with the subcommands one and two, and returns what it saw
// and printed.
func call(t *testing.T, runsCmd bool, args ...string) (saw, stdout, stderr string, status int) {
	t.Helper()
	var out, errs strings.Builder
	var prefix string
	var global bool
	note := func(c string, fs *flag.FlagSet, n *bool) func(context.Context, []string) error {
		return func(_ context.Context, args []string) error {
			saw = fmt.Sprintf("%s prefix=%s v=%v n=%v %q", c, prefix, global, *n, args)
			if len(args) > 0 && args[0] == "bad" {
				return Usagef("bad argument")
			}
			return nil
		}
	}
	flags := func(name string) (*flag.FlagSet, *bool) {
		fs := flag.NewFlagSet(name, flag.ExitOnError)
		fs.StringVar(&prefix, "prefix", "", "a `text`")
		fs.BoolVar(&global, "v", false, "talk")
		return fs, fs.Bool("n", false, "pretend")
	}
	rootFlags, rootN := flags("tool")
	root := &ffcli.Command{Name: "tool", FlagSet: rootFlags, Exec: note("tool", rootFlags, rootN)}
	if !runsCmd {
		for _, name := range []string{"one", "two"} {
			fs, n := flags(name)
			root.Subcommands = append(root.Subcommands, &ffcli.Command{Name: name, FlagSet: fs, Exec: note(name, fs, n), ShortHelp: "does " + name})
		}
	}
	tool := Tool{Command: root, RunsCmd: runsCmd, Stdout: &out, Stderr: &errs}
	status = tool.Run(t.Context(), args)
	return saw, out.String(), errs.String(), status
}

func TestVersion(t *testing.T) {
	for _, arg := range []string{"-version", "--version"} {
		saw, out, errs, status := call(t, false, arg)
		if name, version, _ := strings.Cut(strings.TrimSuffix(out, "\n"), " "); status != 0 || saw != "" || errs != "" || name != "tool" || version == "" {
			t.Errorf("%q: status %d, %q, %q", arg, status, out, errs)
		}
	}
	if saw, _, _, _ := call(t, true, "a", "-version"); saw == "" {
		t.Error("an argument of the command is taken for ours")
	}
}

func TestFlagsAnywhere(t *testing.T) {
	for _, test := range []struct{ args, want string }{
		{"a b", `tool prefix= v=false n=false ["a" "b"]`},
		{"-prefix p a", `tool prefix=p v=false n=false ["a"]`},
		{"one a -prefix p b -v", `one prefix=p v=true n=false ["a" "b"]`},
		{"-v one -prefix=p a", `one prefix=p v=true n=false ["a"]`},
		{"-prefix q one --prefix p a", `one prefix=p v=false n=false ["a"]`},
		{"-prefix p one a", `one prefix=p v=false n=false ["a"]`},
		{"one -- -v a", `one prefix= v=false n=false ["-v" "a"]`},
		{"one a -- -v", `one prefix= v=false n=false ["a" "-v"]`},
		{"one - -n", `one prefix= v=false n=true ["-"]`},
		{"two -prefix -- a", `two prefix=-- v=false n=false ["a"]`},
		{"two -prefix -v a", `two prefix=-v v=false n=false ["a"]`},
		{"two -v=false one", `two prefix= v=false n=false ["one"]`},
		{"two", `two prefix= v=false n=false []`},
	} {
		saw, _, stderr, status := call(t, false, strings.Fields(test.args)...)
		if saw != test.want || status != OK || stderr != "" {
			t.Errorf("%s\n got %s, %d, %q\nwant %s", test.args, saw, status, stderr, test.want)
		}
	}
}

func TestFlagsEndAtCommand(t *testing.T) {
	for _, test := range []struct{ args, want string }{
		{"-v zfs recv -v -n a", `tool prefix= v=true n=false ["zfs" "recv" "-v" "-n" "a"]`},
		{"-- -v", `tool prefix= v=false n=false ["-v"]`},
		{"zfs -- -v", `tool prefix= v=false n=false ["zfs" "--" "-v"]`},
	} {
		saw, _, stderr, status := call(t, true, strings.Fields(test.args)...)
		if saw != test.want || status != OK {
			t.Errorf("%s\n got %s, %d, %q\nwant %s", test.args, saw, status, stderr, test.want)
		}
	}
}

func TestEnvironment(t *testing.T) {
	t.Setenv("TOOL_PREFIX", "env")
	t.Setenv("TOOL_N", "true")
	t.Setenv("TOOL_V", "")
	for _, test := range []struct{ args, want string }{
		{"one", `one prefix=env v=false n=false []`},
		{"one -prefix p", `one prefix=p v=false n=false []`},
		{"-prefix p one", `one prefix=p v=false n=false []`},
		{"one -prefix=", `one prefix= v=false n=false []`},
	} {
		saw, _, _, status := call(t, false, strings.Fields(test.args)...)
		if saw != test.want || status != OK {
			t.Errorf("%s\n got %s, %d\nwant %s", test.args, saw, status, test.want)
		}
	}
	t.Setenv("TOOL_V", "perhaps")
	_, _, stderr, status := call(t, false, "one")
	if status != Usage || !strings.Contains(stderr, `"TOOL_V"`) || strings.Count(stderr, "tool:") != 1 {
		t.Errorf("a bad variable: %d, %s", status, stderr)
	}
}

func TestUsage(t *testing.T) {
	for _, args := range []string{"-h", "one -h", "one a --help", "-help"} {
		_, stdout, stderr, status := call(t, false, strings.Fields(args)...)
		if status != OK || stderr != "" || !strings.HasPrefix(stdout, "usage: ") || !strings.Contains(stdout, "-prefix text") {
			t.Errorf("%s: %d, stdout %q, stderr %q", args, status, stdout, stderr)
		}
	}
	for args, want := range map[string]string{
		"one -bad":     "tool: flag provided but not defined: -bad\nusage: one\nsee tool one -h\n",
		"one -prefix":  "tool: flag needs an argument: -prefix\nusage: one\nsee tool one -h\n",
		"one -v=maybe": "tool: invalid boolean value \"maybe\" for -v: parse error\nusage: one\nsee tool one -h\n",
		"two bad":      "tool: bad argument\nusage: two\nsee tool two -h\n",
	} {
		_, stdout, stderr, status := call(t, false, strings.Fields(args)...)
		if status != Usage || stdout != "" || stderr != want { // no list of flags, which would hide the error
			t.Errorf("%s: %d, stdout %q, stderr\n%s", args, status, stdout, stderr)
		}
	}
}

type hinted struct{ error }

func (hinted) Hint() string    { return "try\nthis" }
func (hinted) ExitStatus() int { return TryLater }

func TestPrint(t *testing.T) {
	plain := errors.New("plain")
	for _, test := range []struct {
		err    error
		want   string
		status int
	}{
		{nil, "", OK},
		{Cannot("read", "a b", plain), "t: cannot read \"a b\": plain\n", Failed},
		{Hint(plain, "do %d", 1), "t: plain\nt: hint: do 1\n", Failed},
		{Hint(nil, "none"), "", OK},
		{WithStatus(3, nil), "", 3},
		{WithStatus(3, plain), "t: plain\n", 3},
		{fmt.Errorf("around: %w", WithStatus(3, plain)), "t: around: plain\n", 3},
		{errors.Join(plain, Usagef("x")), "t: plain\nt: x\n", Usage},
		{WithStatus(Usage, errors.Join(plain, plain)), "t: plain\nt: plain\n", Usage},
		{fmt.Errorf("both: %w, %w", plain, plain), "t: both: plain, plain\n", Failed},
		{hinted{plain}, "t: plain\nt: hint: try; this\n", TryLater},
		{errors.New("bad\x1b[31m\r\u0085\u202e\xff\u200b"), "t: bad\\x1b[31m\\r\\u0085\\u202e\\xff\\u200b\n", Failed},
		{fmt.Errorf("both: %w", errors.Join(plain, plain)), "t: both: plain; plain\n", Failed},
	} {
		var b strings.Builder
		if status := Print(&b, "t", test.err); b.String() != test.want || status != test.status {
			t.Errorf("%v: %d\n got %q\nwant %q", test.err, status, b.String(), test.want)
		}
	}
}

func TestWithCause(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(SignalError{2})
	for _, test := range []struct {
		err    error
		want   string
		status int
	}{
		{nil, "", OK},
		{context.Canceled, "t: stopped by signal: interrupt\n", 130},
		{fmt.Errorf("cannot go on: %w", context.Canceled), "t: cannot go on: context canceled\n", 130},
		{errors.New("other"), "t: other\n", Failed},
	} {
		var b strings.Builder
		if status := Print(&b, "t", withCause(ctx, test.err)); b.String() != test.want || status != test.status {
			t.Errorf("%v: %d %q", test.err, status, b.String())
		}
	}
}

func TestRecords(t *testing.T) {
	for _, test := range []struct {
		text string
		nul  bool
		want []string
	}{
		{"a\tb\n\nc", false, []string{"a\tb", "", "c"}},
		{"a\nb\x00c\x00", true, []string{"a\nb", "c"}},
		{"a\r\n", false, []string{"a\r"}},
		{"", false, nil},
	} {
		rs := NewRecords(strings.NewReader(test.text), test.nul)
		var got []string
		for rs.Next() {
			got = append(got, string(rs.Record()))
		}
		if d := cmp.Diff(test.want, got); d != "" || rs.Err() != nil || rs.Number() != len(got) {
			t.Errorf("%q: %s, %v, %d", test.text, d, rs.Err(), rs.Number())
		}
	}
	rs := NewRecords(strings.NewReader("a\n"+strings.Repeat("x", MaxRecord+2)+"\n"), false)
	n := 0
	for rs.Next() {
		n++
	}
	if err := rs.Err(); n != 1 || err == nil || err.Error() != "record 2 is longer than 1048576 bytes" {
		t.Errorf("%d records, %v", n, err)
	}
}

// TestWhere is what completion asks.
func TestWhere(t *testing.T) {
	for _, test := range []struct{ args, command, flag, words string }{
		{"", "tool", "", ""},
		{"one", "one", "", ""},
		{"-prefix", "tool", "prefix", ""},
		{"-prefix p one a", "one", "", "a"},
		{"one a -prefix", "one", "prefix", ""},
		{"one a -bad b", "one", "", ""},
		{"three", "tool", "", "three"},
	} {
		fs := flag.NewFlagSet("tool", flag.ContinueOnError)
		one := flag.NewFlagSet("one", flag.ContinueOnError)
		for _, s := range []*flag.FlagSet{fs, one} {
			s.String("prefix", "", "")
		}
		root := &ffcli.Command{Name: "tool", FlagSet: fs, Subcommands: []*ffcli.Command{{Name: "one", FlagSet: one}}}
		c, name, words := Where(root, strings.Fields(test.args))
		if c.Name != test.command || name != test.flag || strings.Join(words, " ") != test.words && test.words != "" {
			t.Errorf("%q: %s, %q, %q", test.args, c.Name, name, words)
		}
	}
}
