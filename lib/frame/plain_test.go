package frame

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
)

// stream is a whole stream of the given pieces of data.
func stream(t testing.TB, sum Checksum, pieces ...[]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := NewWriter(&b, sum)
	check := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	check(w.Header(MakeHeader(sum)))
	for i, p := range pieces {
		if i == 1 {
			check(w.Heartbeat())
		}
		check(w.Data(p))
	}
	check(w.Trailer(Trailer{Status: StatusOK}))
	return b.Bytes()
}

// readAll returns the data of a stream, its trailer, and what came behind it.
func readAll(b []byte) (data []byte, trailer *Trailer, rest int, err error) {
	in := bytes.NewReader(b)
	r := NewReader(in)
	for {
		f, err := r.Next()
		if err != nil {
			return data, nil, in.Len(), err
		}
		switch f.Type {
		case TypeData:
			data = append(data, f.Payload...)
		case TypeTrailer:
			return data, f.Trailer, in.Len(), nil
		}
	}
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rng := rand.NewChaCha8([32]byte{1, 2, 3})
	rng.Read(b)
	return b
}

func TestWriteRead(t *testing.T) {
	for _, sum := range []Checksum{None, CRC32C} {
		for _, n := range []int{0, 1, 4096, MaxData, MaxData + 1, 3*MaxData + 7} {
			want := randomBytes(n)
			b := append(stream(t, sum, want), "plain text"...)
			got, trailer, rest, err := readAll(b)
			if err != nil || !bytes.Equal(got, want) || trailer.Bytes != uint64(n) || rest != len("plain text") {
				t.Errorf("%v, %d bytes: got %d, trailer %+v, %d left, error %v", sum, n, len(got), trailer, rest, err)
			}
		}
	}
}

func TestEnds(t *testing.T) {
	if _, err := NewReader(bytes.NewReader(nil)).Next(); err != io.EOF {
		t.Errorf("end before the first byte: %v", err)
	}
	b := stream(t, CRC32C, []byte("abc"))
	for n := 1; n < len(b); n++ {
		if _, _, _, err := readAll(b[:n]); !errors.Is(err, ErrCut) {
			t.Errorf("cut after %d bytes: %v", n, err)
		}
	}
}
