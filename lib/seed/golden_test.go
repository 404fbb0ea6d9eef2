package seed

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/frame"
)

var writeGolden = flag.Bool("write-golden", false, "write the golden file, for a new version of the format")

// example is the file of zseed(5).
func example(t *testing.T) []byte {
	t.Helper()
	var out bytes.Buffer
	made := time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)
	type version struct {
		Kind      dataset.Kind `json:"kind"`
		Name      string       `json:"name"`
		GUID      int          `json:"guid"`
		CreateTXG int          `json:"createtxg"`
	}
	type line struct {
		Name     string         `json:"name"`
		Versions []version      `json:"versions"`
		Send     map[string]any `json:"send"`
		Size     int            `json:"size"`
		Uses     map[string]any `json:"uses"`
	}
	w, err := NewWriter(&out, Head{ID: "0011223344556677", Role: "source", Job: "offer", Client: "me", Made: made}, []any{
		line{"tank/a", []version{{dataset.Snapshot, "s1", 7, 12}}, map[string]any{"large_blocks": true}, 1000, map[string]any{"surely": []string{"extensible_dataset"}}}})
	if err == nil {
		err = w.Entry(Entry{Dataset: "tank/a", Snapshot: "s1", GUID: 7})
	}
	if err != nil {
		t.Fatal(err)
	}
	s := frame.NewWriter(&out, frame.CRC32C)
	if err := errors.Join(s.Header(frame.MakeHeader(frame.CRC32C)), s.Data([]byte("...")), s.Trailer(frame.Trailer{Status: frame.StatusOK}), w.End()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// The bytes of a file never change, and its texts are those of the page.
func TestGolden(t *testing.T) {
	got := example(t)
	if *writeGolden {
		if err := errors.Join(os.MkdirAll("testdata", 0o755), os.WriteFile("testdata/example", []byte(hex.EncodeToString(got)+"\n"), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile("testdata/example")
	want, herr := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || herr != nil || !bytes.Equal(want, got) {
		t.Errorf("%v, %v: the example has other bytes now:\n%q", err, herr, got)
	}
	page, err := os.ReadFile("../../doc/zseed.5")
	if err != nil {
		t.Fatal(err)
	}
	_, shown, _ := strings.Cut(string(page), ".Bd -literal\n")
	shown, _, _ = strings.Cut(shown, ".Ed\n")
	var data strings.Builder
	in := bytes.NewReader(want)
	for in.Len() > 0 {
		for r := frame.NewReader(in); ; {
			f, err := r.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if f.Type == frame.TypeData {
				data.Write(f.Payload)
			}
		}
	}
	plain := strings.NewReplacer("\n", "", "\\&", "")
	if a, b := plain.Replace(shown), plain.Replace(data.String()); a != b {
		t.Errorf("the page shows\n%s\nand the file has\n%s", a, b)
	}
}

// A file is read part after part, and not a byte after its end.
func TestRead(t *testing.T) {
	in := bytes.NewBuffer(append(example(t), "behind"...))
	f := NewReader(in)
	lines := 0
	if head, err := f.List(func([]byte) error { lines++; return nil }); err != nil || head.Job != "offer" || lines != 1 {
		t.Fatal(head, lines, err)
	}
	e, err := f.Next()
	if err != nil || e == nil || e.Dataset != "tank/a" || e.GUID != 7 {
		t.Fatal(e, err)
	}
	var stream bytes.Buffer
	if err := f.Pass(&stream); err != nil {
		t.Fatal(err)
	}
	if one, err := frame.NewReader(&stream).Next(); err != nil || one.Type != frame.TypeHeader {
		t.Fatal(one, err)
	}
	if e, err = f.Next(); e != nil || err != nil || in.String() != "behind" {
		t.Errorf("%v, %v, %q is left", e, err, in)
	}
}

// FuzzReader: whatever a file is, reading it ends, and what is passed over is no
// more than it has.
func FuzzReader(f *testing.F) {
	text, err := os.ReadFile("testdata/example")
	if err != nil {
		f.Fatal(err)
	}
	file, _ := hex.DecodeString(strings.TrimSpace(string(text)))
	f.Add(file)
	f.Add(file[:100])
	f.Fuzz(func(t *testing.T, file []byte) {
		r := NewReader(bytes.NewReader(file))
		if _, err := r.List(func([]byte) error { return nil }); err != nil {
			return
		}
		for n := 0; n <= len(file); n++ {
			e, err := r.Next()
			if err != nil || e == nil {
				return
			}
			var out bytes.Buffer
			if err := r.Pass(&out); err != nil && !errors.As(err, new(*DamageError)) {
				return
			}
		}
		t.Error("it does not end")
	})
}

// Where a file is cut or damaged is said in words of the file.
func TestWords(t *testing.T) {
	list := func(in []byte) error {
		_, err := NewReader(bytes.NewReader(in)).List(func([]byte) error { return nil })
		return err
	}
	file := example(t)
	end := bytes.Index(file, []byte(`"surely"`)) // in the second line
	for n := end; n < end+20; n++ {
		if err := list(file[:n]); err == nil || err.Error() != "the file is cut in its list of datasets" {
			t.Errorf("cut at %d: %v", n, err)
		}
	}
	damaged := bytes.Replace(file, []byte("..."), []byte("..!"), 1)
	f := NewReader(bytes.NewReader(damaged))
	if _, err := f.List(func([]byte) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Next(); err != nil {
		t.Fatal(err)
	}
	if err := f.Pass(io.Discard); err == nil || !strings.HasPrefix(err.Error(), "the file is damaged in stream 1 of 1: ") {
		t.Error(err)
	}
}
