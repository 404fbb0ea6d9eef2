package mapfilter

import (
	"fmt"
	"strings"
	"testing"
)

var seeds = []string{
	"\"tank<\": \"ok\"\n\"tank/a\": \"!\"\n",
	"\"<\": storage/backups\n",
	"# rules\n\n\"a b<\":   \"t\"\n",
	"{tank: ok, \"a<\": !, \"b\": \"x/y\"}\n",
	"\"a\": \"b\"\n\"a\": \"c\"\n",
	"a: &x t\nb: *x\n",
	"- a\n- b\n",
	"\"a\\n\": \"b\"\n",
	"1: 2\n",
	"tank/a<: backup/b\ntank/b: ok\n\"c\":  x/y\n",
	"a/b-c.d_e: \"!\"\n",
	"",
}

// FuzzRead: reading never panics, the quick way reads nothing otherwise than
// YAML's parser does, and what is read prints to what reads the same.
func FuzzRead(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s), "tank/a/b")
	}
	f.Fuzz(func(t *testing.T, text []byte, name string) {
		fast, isQuick := quick(text, "f")
		slowly, err := slow(text, "f")
		if isQuick {
			if err != nil {
				t.Fatalf("quick reads %q, but %v", text, err)
			}
			if fmt.Sprint(fast) != fmt.Sprint(slowly) {
				t.Fatalf("quick: %v\nslow:  %v", fast, slowly)
			}
		}
		rs, err := Parse(slowly)
		if err != nil {
			return
		}
		rs.Pass(name)
		rs.Overlap()
		if target, ok := rs.Map(name); ok && name != "" && !strings.Contains(name, "//") {
			if len(rs.Sources(target, 0)) == 0 {
				t.Fatalf("%q comes from %q, which is not found again: %v", target, name, rs)
			}
		}
		again, err := Read(strings.NewReader(rs.String()), "f")
		if len(rs.All()) == 0 {
			return
		}
		back, perr := Parse(again)
		if err != nil || perr != nil || back.String() != rs.String() {
			t.Fatalf("%s reads as %s, %v, %v", rs, back, err, perr)
		}
	})
}
