package endpoint

import (
	"bytes"
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/seed"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// kept is what a file takes of memory once its list was read.
func kept(t *testing.T, lines []any) (*Seed, int64) {
	t.Helper()
	var out bytes.Buffer
	if _, err := seed.NewWriter(&out, seed.Head{ID: "x", Role: "source"}, lines); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	s, err := OpenSeed(t.Context(), bytes.NewReader(out.Bytes()), Limits{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(out)
	return s, int64(after.HeapAlloc) - int64(before.HeapAlloc)
}

func seedLine(name, uses string) json.RawMessage {
	return json.RawMessage(fmt.Sprintf(`{"name":%q,"versions":[{"kind":64,"name":"s1","guid":7,"createtxg":1}],"uses":{"surely":[%s]}}`, name, uses))
}

// Of the features that a list names, those are kept that we know.
func TestSeedKeepsKnownFeatures(t *testing.T) {
	var lines []any
	for i := range 4 {
		lines = append(lines, seedLine(fmt.Sprint("a/x", i), strings.Repeat(`"",`, 500_000)+`"zstd_compress","lz4_compress","lz4_compress"`))
	}
	s, size := kept(t, lines)
	if size > 4<<20 {
		t.Errorf("%d bytes are kept", size)
	}
	got, err := s.Uses(t.Context(), transfer.UsesRequest{Datasets: []string{"a/x1"}, Features: Features()})
	if text := fmt.Sprint(got["a/x1"].Surely); err != nil || text != "[lz4_compress zstd_compress]" {
		t.Error(text, err)
	}
}

// A stream of what the list does not have ends the file.
func TestSeedUnlistedStream(t *testing.T) {
	var out bytes.Buffer
	w, err := seed.NewWriter(&out, seed.Head{ID: "x", Role: "source"}, []any{seedLine("a/x", `""`), seedLine("a/y", `""`)})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a/x", strings.Repeat("n", 60_000)} {
		if err := w.Entry(seed.Entry{Dataset: name}); err != nil {
			t.Fatal(err)
		}
		if err := w.Failed(""); err != nil {
			t.Fatal(err)
		}
	}
	s, err := OpenSeed(t.Context(), &out, Limits{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	s.begun = true
	if err := s.Finish(t.Context()); err == nil || err.Error() != "stream 2 of the file is of a dataset that its list does not have" {
		t.Error(err)
	}
	if len(s.extra) != 2 {
		t.Errorf("%d datasets are noted", len(s.extra))
	}
}
