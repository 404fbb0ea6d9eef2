package digest

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/zfssim/forge"
)

var write = flag.Bool("write-golden", false, "write the golden vectors, for a new version of the format")

// vectors are streams in which all that counts appears. Their digests must
// never change.
func vectors() map[string]forge.Stream {
	big := binary.ByteOrder(binary.BigEndian)
	data := bytes.Repeat([]byte("0123456789abcdef"), 64)
	sparse := append(append(data[:700:700], make([]byte, 6000)...), data...)
	files := []file{
		{number: 1, bonus: "", data: data[:512]},
		{number: 2, bonus: "a bonus of 21 bytes..", data: sparse, spill: data[:512]},
		{number: 31},
		{number: 40, bonus: "x", data: make([]byte, 4096)},
	}
	volume := whole(little, 0, objectRecord(little, 1, ""), writeRecord(little, 1, 128<<10-512, data), writeRecord(little, 1, 1<<40, data))
	volume[0].Set(forge.ObjectSet, 3)
	rawBonusRecord := with(forge.New(forge.Object, little), data[:320], number, 9, kind, 19, bonusKind, 44, bonusLength, 176, rawBonus, 320)
	rawSpill := spillRecord(little, 9, data[:512])
	copy(rawSpill.Head[48:], "saltsaltiviviviviviviMACMACMACMACM")
	encrypted := whole(little, raw, with(forge.New(forge.ObjectRange, little), nil), rawBonusRecord,
		rawWrite(little, 9, 0, 4096, data[:512], 15, "SALTSALTIVIVIVIVIVIVmacmacmacmacmacm"),
		rawWrite(little, 9, 4096, 512, make([]byte, 512), 0, "TLASTLASVIVIVIVIVIVImacmacmacmacmacm"), rawSpill)
	encrypted[0].SetPayload([]byte("wrapped keys...."))
	return map[string]forge.Stream{
		"example":    whole(little, 0, objectRecord(little, 7, "bonus"), writeRecord(little, 7, 0, append([]byte("hello\n"), make([]byte, 506)...))),
		"empty":      whole(little, 0),
		"one-by-one": whole(little, 0, records(little, files, 512, false, true)...),
		"by-blocks":  whole(little, largeBlocks, records(little, files, 4096, true, false)...),
		"big-endian": whole(big, 0, records(big, files, 1024, false, true)...),
		"volume":     volume,
		"encrypted":  encrypted,
	}
}

func TestGolden(t *testing.T) {
	lines, err := os.ReadFile("testdata/digests")
	if err != nil && !*write {
		t.Fatal(err)
	}
	want := map[string]string{}
	for line := range strings.Lines(string(lines)) {
		name, sum, _ := strings.Cut(strings.TrimSpace(line), "\t")
		want[name] = sum
	}
	for name, s := range vectors() {
		path := filepath.Join("testdata", name+".stream")
		got := sumOf(t, s).String()
		if *write {
			if err := os.WriteFile(path, s.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
			t.Logf("%s\t%s", name, got)
			continue
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		r, err := Stream(bytes.NewReader(b), nil)
		if err != nil || r.Sum.String() != want[name] || got != want[name] {
			t.Errorf("%s: %v from the file, %v made now, not %v (%v)", name, r.Sum, got, want[name], err)
		}
	}
	if want["one-by-one"] != want["by-blocks"] || len(want) != len(vectors()) && !*write {
		t.Error("the golden vectors are not whole")
	}
}

// The example in the manual page is what is hashed, and its digest.
func TestManualExample(t *testing.T) {
	page, err := os.ReadFile("../../doc/zdigest.5")
	if err != nil {
		t.Fatal(err)
	}
	_, example, _ := strings.Cut(string(page), ".Sh EXAMPLES")
	var blocks [][]byte
	for part := range strings.SplitSeq(example, ".Bd -literal") {
		_, text, _ := strings.Cut(part, "\n")
		text, _, found := strings.Cut(text, ".Ed")
		if !found {
			continue
		}
		b, err := hex.DecodeString(strings.Join(strings.Fields(text), ""))
		if err != nil {
			t.Fatal(err)
		}
		blocks = append(blocks, b)
	}
	if len(blocks) != 3 {
		t.Fatalf("%d literal blocks", len(blocks))
	}
	object, whole, sum := blocks[0], blocks[1], Sum(blocks[2])
	var objects []Object
	r, err := Stream(bytes.NewReader(vectors()["example"].Bytes()), func(o Object) error {
		objects = append(objects, o)
		return nil
	})
	if err != nil || len(objects) != 1 || r.Sum != sum {
		t.Fatal(r, objects, err)
	}
	if hashed(object) != objects[0].Sum || hashed(whole) != sum {
		t.Errorf("the bytes in the page have the digests %v and %v, the objects %v and %v", hashed(object), hashed(whole), objects[0].Sum, sum)
	}
}

func hashed(b []byte) Sum { return sha256.Sum256(b) }
