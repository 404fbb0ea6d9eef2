package frame

import (
	"bytes"
	"io"
	"testing"
)

// A lax reader reads on to the end of a stream with damaged data, says where the
// damage is, and is strict with the next one.
func TestLax(t *testing.T) {
	var out bytes.Buffer
	stream := func() {
		w := NewWriter(&out, CRC32C)
		for _, err := range []error{w.Header(MakeHeader(CRC32C)), w.Data([]byte("abc")), w.Data([]byte("def")), w.Trailer(Trailer{Status: StatusOK})} {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	stream()
	first := out.Len()
	stream()
	b := out.Bytes()
	for _, at := range []int{bytes.Index(b, []byte("abc")), first + bytes.Index(b[first:], []byte("abc"))} {
		b[at] ^= 1
	}
	in := bytes.NewReader(b)
	r := NewReader(in)
	r.Lax()
	var err error
	for err == nil {
		_, err = r.Next()
	}
	if err != io.EOF || r.Damage() == nil || in.Len() != len(b)-first {
		t.Errorf("%v, %v, %d bytes are left", err, r.Damage(), in.Len())
	}
	r.Again()
	if _, err = r.Next(); err != nil || r.Damage() != nil {
		t.Error(err)
	}
	if _, err = r.Next(); err == nil {
		t.Error("damage was not seen")
	}
}
