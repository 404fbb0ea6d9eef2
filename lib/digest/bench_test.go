package digest

import (
	"bytes"
	"crypto/sha256"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/zfssim/forge"
)

// BenchmarkStream is to be compared with BenchmarkSHA256: a digest must not take
// twice its time.
func BenchmarkStream(b *testing.B) {
	for name, block := range map[string]int{"blocks of 16K": 16 << 10, "blocks of 128K": 128 << 10, "blocks of 1M": 1 << 20} {
		b.Run(name, func(b *testing.B) {
			data := randomData()
			var all []*forge.Record
			all = append(all, objectRecord(little, 1, ""))
			for at := 0; at < len(data); at += block {
				all = append(all, writeRecord(little, 1, at, data[at:at+block]))
			}
			s := whole(little, largeBlocks, all...).Bytes()
			b.SetBytes(int64(len(s)))
			for b.Loop() {
				if _, err := Stream(io.MultiReader(bytes.NewReader(s)), nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkSHA256(b *testing.B) {
	data := randomData()
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		sha256.Sum256(data)
	}
}

func randomData() []byte {
	data := make([]byte, 32<<20)
	source := rand.NewChaCha8([32]byte{})
	source.Read(data)
	return data
}
