package frame

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// golden reads a vector: hexadecimal digits with white space between them.
// The vectors of version 1 stay as they are for ever.
func golden(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name+".hex"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := hex.DecodeString(strings.Join(strings.Fields(string(text)), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestGoldenPacked: a stream of version 2 whose data is "abc" in a frame of
// RFC 8878, uncompressed.
func TestGoldenPacked(t *testing.T) {
	want := golden(t, "abc.zstd.crc32c")
	data, _ := hex.DecodeString("28b52ffd0038190000616263")
	var b bytes.Buffer
	w := NewWriter(&b, CRC32C)
	if err := errors.Join(w.Header(MakePackedHeader(CRC32C, "zstd")), w.Data(data), w.Trailer(Trailer{Status: StatusOK})); err != nil || !bytes.Equal(b.Bytes(), want) {
		t.Errorf("error %v\n got %x\nwant %x", err, b.Bytes(), want)
	}
	for _, ro := range routes { // who does not decompress refuses it
		if got, _, err := ro.receive(t, want, 0); len(got) != 0 || !errors.Is(err, errPacked) {
			t.Errorf("%s: got %q, error %v", ro.name, got, err)
		}
	}
}

var vectors = []struct {
	name    string
	sum     Checksum
	pieces  []string // "": a heartbeat
	trailer Trailer  // without a status: a reset
}{
	{"abc.crc32c", CRC32C, []string{"abc"}, Trailer{Status: StatusOK}},
	{"abc.none", None, []string{"abc"}, Trailer{Status: StatusOK}},
	{"empty.crc32c", CRC32C, nil, Trailer{Status: StatusOK}},
	{"beats.crc32c", CRC32C, []string{"abc", "", "def", "", "", "\x00\xff"}, Trailer{Status: StatusOK}},
	{"failed.none", None, []string{"abc"}, Trailer{Status: StatusFailed, Exit: 137, Signal: "SIGKILL", Stderr: "cannot go on\nbye"}},
	{"reset.crc32c", CRC32C, []string{"abc"}, Trailer{}},
}

func TestGoldenWrite(t *testing.T) {
	for _, v := range vectors {
		var b bytes.Buffer
		w := NewWriter(&b, v.sum)
		err := w.Header(MakeHeader(v.sum))
		for _, p := range v.pieces {
			if p == "" {
				err = errors.Join(err, w.Heartbeat())
			} else {
				err = errors.Join(err, w.Data([]byte(p)))
			}
		}
		if v.trailer.Status == "" {
			err = errors.Join(err, w.Reset())
		} else {
			err = errors.Join(err, w.Trailer(v.trailer))
		}
		if want := golden(t, v.name); err != nil || !bytes.Equal(b.Bytes(), want) {
			t.Errorf("%s: error %v\n got %x\nwant %x", v.name, err, b.Bytes(), want)
		}
	}
}

func TestGoldenRead(t *testing.T) {
	for _, v := range vectors {
		want := strings.Join(v.pieces, "")
		b := golden(t, v.name)
		data, trailer, rest, err := readAll(b)
		if string(data) != want || rest != 0 {
			t.Errorf("%s: got %q, %d bytes left", v.name, data, rest)
		}
		if v.trailer.Status == "" {
			if !errors.Is(err, ErrReset) {
				t.Errorf("%s: error %v, not a reset", v.name, err)
			}
			continue
		}
		if err != nil || trailer.Status != v.trailer.Status || trailer.Exit != v.trailer.Exit || trailer.Stderr != v.trailer.Stderr {
			t.Errorf("%s: trailer %+v, error %v", v.name, trailer, err)
		}
		for _, ro := range routes {
			got, _, err := ro.receive(t, b, 0)
			if failed := errors.As(err, new(*FailedError)); string(got) != want || failed != (v.trailer.Status == StatusFailed) || err != nil && !failed {
				t.Errorf("%s, %s: got %q, error %v", v.name, ro.name, got, err)
			}
		}
	}
}

// The manual page shows the first vector.
func TestGoldenInManual(t *testing.T) {
	page, err := os.ReadFile("../../doc/zframe.5")
	if err != nil {
		t.Fatal(err)
	}
	_, example, _ := strings.Cut(string(page), ".Bd -literal -offset indent\n")
	example, _, _ = strings.Cut(example, ".Ed")
	b, err := hex.DecodeString(strings.Join(strings.Fields(example), ""))
	if err != nil || !bytes.Equal(b, golden(t, "abc.crc32c")) {
		t.Errorf("the example in zframe(5) is %x (%v)", b, err)
	}
}
