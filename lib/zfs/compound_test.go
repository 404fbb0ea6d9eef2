package zfs

import (
	"os"
	"path/filepath"
	"testing"
)

// The files are the first bytes of streams that OpenZFS 2.3.2 made of a/x,
// with a/x/y below it, from @1 on.
func TestExpectPackages(t *testing.T) {
	const (
		one   = "6082852853470307199"  // a/x@1
		two   = "10847163300128944184" // a/x@2
		three = "10746911704125580714" // a/x@3
	)
	for _, test := range []struct {
		file, expect string
		pass         bool
	}{
		{"plain", "to=" + two + ",from=" + one, true},
		{"plain", "to=" + two + ",from=" + one + ",chain", true},
		{"plain", "to=" + two, false},
		{"plain", "to=" + three + ",from=" + one, false},
		{"I", "to=" + three + ",from=" + one + ",chain", true},
		{"I", "to=" + three + ",from=" + one + ",chain,properties", true},
		{"I", "to=" + three + ",from=" + one, false},
		{"I", "to=" + three + ",from=" + two + ",chain", false},
		{"pI", "to=" + three + ",from=" + one + ",chain", false},
		{"pI", "to=" + three + ",from=" + one + ",chain,properties", true},
		{"p", "to=" + one + ",properties", true},
		{"p", "to=" + one, false},
		{"p", "to=" + two + ",properties", false},
		{"R", "to=" + three + ",from=" + one + ",chain,properties", false},
		{"R", "to=" + three + ",from=" + one + ",chain", false},
	} {
		stream, err := os.ReadFile(filepath.Join("testdata", "begin-"+test.file))
		if err != nil {
			t.Fatal(err)
		}
		e, err := ParseExpect(test.expect)
		if err != nil {
			t.Fatal(err)
		}
		if err := inspectAll(e, stream); (err == nil) != test.pass {
			t.Errorf("%s, %s: %v", test.file, test.expect, err)
		}
	}
}

// inspectAll shows a stream to Inspect as zrecv-frame does.
func inspectAll(e Expect, stream []byte) error {
	for n := 0; ; {
		need, err := e.Inspect(stream[:n])
		if err != nil || need <= n {
			return err
		}
		if need > len(stream) {
			return errNoStream
		}
		n = need
	}
}

func FuzzExpect(f *testing.F) {
	files, _ := filepath.Glob("testdata/begin-*")
	for _, file := range files {
		stream, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(stream)
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		for _, text := range []string{"to=1", "to=6082852853470307199,properties", "to=10746911704125580714,from=6082852853470307199,chain,properties"} {
			e, err := ParseExpect(text)
			if err != nil {
				t.Fatal(err)
			}
			inspectAll(e, stream)
		}
	})
}
