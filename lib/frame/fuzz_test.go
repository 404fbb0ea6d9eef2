package frame

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
)

// Whatever comes, the reader gives an error or a whole stream, and reads no
// byte behind it; and the fast way, between pipes, says the same.
func FuzzReader(f *testing.F) {
	for _, v := range vectors {
		f.Add(golden(f, v.name))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		data, trailer, rest, err := readAll(b)
		if err == nil && trailer == nil {
			t.Fatal("neither a trailer nor an error")
		}
		if trailer != nil && (trailer.Bytes != uint64(len(data)) || rest == len(b)) {
			t.Fatalf("trailer %+v for %d bytes", trailer, len(data))
		}
		for _, ro := range routes[:2] {
			got, last, rerr := ro.receive(t, b, 0)
			whole := rerr == nil || errors.As(rerr, new(*FailedError))
			if whole != (err == nil) || whole && (!bytes.Equal(got, data) || last.Bytes != trailer.Bytes) || !bytes.HasPrefix(got, data) && !bytes.HasPrefix(data, got) {
				t.Fatalf("%s: got %d bytes and %v, the reader %d and %v", ro.name, len(got), rerr, len(data), err)
			}
		}
	})
}

// Headers and trailers are written as they were read.
func FuzzStrict(f *testing.F) {
	f.Add([]byte(`{"zframe":1,"checksum":"crc32c","a":{"b":[1,{}]}}`))
	f.Add([]byte(`{"a":1,"a":2}`))
	f.Add([]byte(`{"status":"ok","exit":0,"bytes":3,"frames":1}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		fields, first, err := StrictObject(b)
		if err == nil && len(fields) > 0 {
			if _, there := fields[first]; !there {
				t.Fatalf("the first key %q is not one of %d", first, len(fields))
			}
		}
		trailer, err := parseTrailer(b)
		if err != nil {
			return
		}
		again, err := trailer.encode()
		if err != nil {
			return // too long
		}
		if back, err := parseTrailer(again); err != nil || back != trailer {
			t.Fatalf("%+v became %+v (%v)", trailer, back, err)
		}
	})
}

// What is sent is received, whatever it is and however it is cut up.
func FuzzSend(f *testing.F) {
	f.Add([]byte("abc"), 1, true)
	f.Add(bytes.Repeat([]byte("frame"), 3000), 2100, false)
	f.Fuzz(func(t *testing.T, data []byte, size int, summed bool) {
		sum := None
		if summed {
			sum = CRC32C
		}
		size = max(1, min(size, len(data)), len(data)/500)
		in := input(t, "pipe", data, size)
		defer in.Close()
		r, w := pair(t, "pipe")
		out, collect := output(t, "pipe")
		errs := make(chan error, 1)
		go func() {
			_, err := Send(context.Background(), SendOptions{In: in, Out: w, Checksum: sum})
			w.Close()
			errs <- err
		}()
		_, err := Receive(context.Background(), ReceiveOptions{In: r, Out: out})
		if got := collect(); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%d of %d bytes, error %v", len(got), len(data), err)
		}
		if err := <-errs; err != nil {
			t.Error(err)
		}
		if rest, _ := io.ReadAll(r); len(rest) != 0 {
			t.Errorf("%d bytes left", len(rest))
		}
		r.Close()
	})
}
