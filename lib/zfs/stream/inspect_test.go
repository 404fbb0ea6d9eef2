package stream

import (
	"os"
	"path/filepath"
	"testing"
)

// The files are the first bytes of streams that OpenZFS 2.3.2 made of a/x,
// with a/x/y below it, from @1 on.
func TestInspect(t *testing.T) {
	const (
		one   = "6082852853470307199"  // a/x@1
		two   = "10847163300128944184" // a/x@2
		three = "10746911704125580714" // a/x@3
		chain = "from=" + one + ",to=" + two + "@2,to=" + three + "@3"
	)
	for _, test := range []struct {
		file, expect string
		good         bool
	}{
		{"plain", "to=" + two + ",from=" + one, true},
		{"plain", chain, false},
		{"plain", "to=" + two, false},
		{"plain", "to=" + two + ",from=" + one + ",raw", false},
		{"plain", "to=" + two + ",from=" + one + ",volume", false},
		{"plain", "to=" + three + ",from=" + one, false},
		{"I", chain, true},
		{"I", "to=" + three + ",from=" + one, false},
		{"I", "from=" + two + ",to=" + three + "@3,to=9@4", false},
		{"pI", chain, false},
		{"p", "to=" + one, false},
		{"R", chain, false},
		{"R", "to=" + three + ",from=" + one, false},
	} {
		stream, err := os.ReadFile(filepath.Join("testdata", "begin-"+test.file))
		if err != nil {
			t.Fatal(err)
		}
		e, err := parseExpect(test.expect)
		if err != nil {
			t.Fatal(err)
		}
		if err := inspectAll(e, stream); (err == nil) != test.good {
			t.Errorf("%s, %s: %v", test.file, test.expect, err)
		}
	}
}

// inspectAll shows a stream to Inspect as zsend-frame does.
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

func FuzzInspect(f *testing.F) {
	files, _ := filepath.Glob("testdata/begin-*")
	for _, file := range files {
		stream, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(stream)
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		for _, text := range []string{"to=1", "to=10847163300128944184,from=6082852853470307199", "from=6082852853470307199,to=10847163300128944184@2,to=3@3"} {
			e, err := parseExpect(text)
			if err != nil {
				t.Fatal(err)
			}
			if inspectAll(e, stream) == nil && len(stream) < recordSize {
				t.Fatal("a stream was accepted that was not looked at")
			}
		}
	})
}
