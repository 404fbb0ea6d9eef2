package endpoint

import (
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/pack"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// TestCompression: the sender's own level counts, and a client can only ask for
// what is offered.
func TestCompression(t *testing.T) {
	for _, c := range []struct {
		own  pack.Method
		asks string
		of   dataset.SendOptions
		want string
		ok   bool
	}{
		{"zstd-9", "zstd", dataset.SendOptions{LargeBlocks: true}, "zstd-9", true},
		{"zstd", "zstd", dataset.SendOptions{Embedded: true}, "zstd", true},
		{"zstd", "zstd", dataset.SendOptions{Raw: true}, "", true},
		{"zstd", "zstd", dataset.SendOptions{Compressed: true}, "", true},
		{"zstd", "zstd-19", dataset.SendOptions{}, "", false},
		{"zstd", "lz4", dataset.SendOptions{}, "", false},
		{"", "zstd", dataset.SendOptions{}, "", false},
	} {
		s := &Sender{Compress: c.own}
		got, err := s.compression(transfer.SendRequest{Compress: c.asks, Send: c.of})
		if got != c.want || (err == nil) != c.ok {
			t.Errorf("%+v: %q, %v", c, got, err)
		}
	}
}

// TestPacks: a server that does not agree is said once, and only if a stream
// would be compressed.
func TestPacks(t *testing.T) {
	said := 0
	p := &Pool{Compress: "zstd", Say: func(string) { said++ }}
	old, agrees := &Link{}, &Link{packs: true}
	if p.packs(old, dataset.SendOptions{Raw: true}) || said > 0 {
		t.Error("a raw stream is to be compressed")
	}
	for range 3 {
		if p.packs(old, dataset.SendOptions{}) || !p.packs(agrees, dataset.SendOptions{}) {
			t.Error("not as the servers say")
		}
	}
	if said != 1 {
		t.Errorf("said %d times", said)
	}
	if p.Compress = ""; p.packs(agrees, dataset.SendOptions{}) {
		t.Error("it is not asked for")
	}
}
