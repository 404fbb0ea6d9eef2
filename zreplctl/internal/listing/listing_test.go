package listing

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
)

func TestRead(t *testing.T) {
	// Lines out of order, further columns, no line break at the end, a version
	// before its dataset, bytes that are legal in names.
	in := "p/a\t1\t5\np/a@x y\t2\t6\textra\np/b@s\t3\t7\np/a#m:1\t2\t6\np/b\t4\t1\np/a@z\t9\t8"
	l, err := Read(strings.NewReader(in), "list")
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(l.Names, l.Versions("p/a"), l.Versions("p/b")); got != "[p/a p/b] [@x y #m:1 @z] [@s]" {
		t.Error(got)
	}
	if !l.Has("p/b") || l.Has("p") || l.Has("p/a@z") {
		t.Error("Has is wrong")
	}
}

// naive reads a list line by line without any care for cost.
func naive(text string) (map[string][]dataset.Version, bool) {
	out := map[string][]dataset.Version{}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		f := strings.Split(line, "\t")
		if len(f) < 3 {
			return nil, false
		}
		ds, kind, short := dataset.Split(f[0])
		if dataset.CheckName(ds) != nil || kind != 0 && dataset.CheckShort(short) != nil {
			return nil, false
		}
		vs := out[ds]
		if kind != 0 {
			guid, err := dataset.ParseGUID(f[1])
			txg, err2 := strconv.ParseUint(f[2], 10, 64)
			if err != nil || err2 != nil {
				return nil, false
			}
			vs = append(vs, dataset.Version{Kind: kind, Name: short, GUID: guid, CreateTXG: txg})
		}
		out[ds] = vs
	}
	return out, true
}

func FuzzRead(f *testing.F) {
	f.Add("p/a\t1\t5\np/a@x\t2\t6\np/b#m\t3\t7\n")
	f.Add("p@x\t1\t1\np@y\t2\t2\nq\t1\t1\np@z\t3\t3\n")
	f.Add("p@x\t0\t1\n")
	f.Fuzz(func(t *testing.T, text string) {
		want, ok := naive(text)
		l, err := Read(strings.NewReader(text), "f")
		if (err == nil) != ok {
			t.Fatalf("error %v, the naive reader: %v", err, ok)
		}
		if err != nil {
			return
		}
		if len(l.Names) != len(want) {
			t.Fatalf("datasets %v, want %v", l.Names, want)
		}
		for ds, vs := range want {
			if !l.Has(ds) || !slices.Equal(l.Versions(ds), vs) {
				t.Fatalf("%q: %v, want %v", ds, l.Versions(ds), vs)
			}
		}
	})
}

func FuzzReadState(f *testing.F) {
	f.Add("p/a\twritten\t5\np/a\twritten@x\t6\np/a@x\tdefer_destroy\ton\n")
	f.Add("p\treceive_resume_token\t1-abc-10-00\np\tzreplctl:send\t-\n")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ReadState(strings.NewReader(text), "f")
		if err != nil {
			if s != nil || !strings.HasPrefix(err.Error(), `cannot read "f"`) {
				t.Fatalf("%v", err)
			}
			return
		}
		if n := strings.Count(text, "\n") + 1; len(s.facts)+len(s.deferred) > n {
			t.Fatal("more facts than lines")
		}
	})
}

// A name is legal here exactly if it is anywhere.
func TestNames(t *testing.T) {
	for c := 1; c < 256; c++ {
		if c == '\t' || c == '\n' {
			continue
		}
		name := "a" + string([]byte{byte(c)})
		_, err := Read(strings.NewReader("tank@"+name+"\t1\t1\n"), "f")
		if (err == nil) != (dataset.CheckShort(name) == nil) {
			t.Errorf("%q: %v", name, err)
		}
	}
}
