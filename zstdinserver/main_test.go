package main

import (
	"context"
	"flag"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/child"
)

// The manual describes just the flags that there are, in order.
func TestManual(t *testing.T) {
	text, err := os.ReadFile("zstdinserver.8")
	if err != nil {
		t.Fatal(err)
	}
	var described, real []string
	for _, m := range regexp.MustCompile(`(?m)^\.It Fl ([^ \n]+)`).FindAllSubmatch(text, -1) {
		described = append(described, string(m[1]))
	}
	command(nil, nil).FlagSet.VisitAll(func(f *flag.Flag) { real = append(real, f.Name) })
	if !slices.Equal(described, real) {
		t.Errorf("the manual has %v, the program %v", described, real)
	}
	if !strings.Contains(string(text), sockDir) {
		t.Errorf("the manual does not name %s", sockDir)
	}
}

func TestRun(t *testing.T) {
	dir := t.TempDir() // others can enter it
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	private := t.TempDir()
	if err := os.Chmod(private, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args string
		code int
		want string
	}{
		{"", 2, "zstdinserver: one client identity is required, not 0 arguments\n"},
		{"a b", 2, "not 2 arguments\n"},
		{"-nosuch a", 2, "usage: zstdinserver"},
		{"../a", 2, "bad client identity \"../a\""},
		{"-sockdir " + dir + " a", 2, "zstdinserver: hint: chmod 700 " + dir + "\n"},
		{"a -sockdir " + private, 75, "zstdinserver: hint: on the other host: does zreplctl daemon run"},
		{"-h", 0, ""},
	} {
		r, w, err := child.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		in, out := r, w
		if c.code == 0 {
			if out, err = os.OpenFile(os.DevNull, os.O_WRONLY, 0); err != nil {
				t.Fatal(err)
			}
		}
		var stderr strings.Builder
		if code := run(context.Background(), strings.Fields(c.args), in, out, &stderr); code != c.code || !strings.Contains(stderr.String(), c.want) {
			t.Errorf("%q: %d, %s", c.args, code, stderr.String())
		}
		r.Close()
		w.Close()
	}
}
