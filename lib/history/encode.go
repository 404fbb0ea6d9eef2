package history

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"maps"
	"slices"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
)

// A book's text is a line that names the format, then numbers: those of the
// book, the names of snapshots, each once, and the datasets, whose snapshots
// name their names by their places; then a CRC-32C of all that.

const magic = "zrepl-tools snapshots 1\n"

// MaxText is the size of the largest text of a book. What would be larger is
// not kept.
const MaxText = 256 << 20

var sums = crc32.MakeTable(crc32.Castagnoli)

// Text writes the book. It is nil if that would be too large.
func (b *Book) Text() []byte {
	names, place := b.names()
	text := append(make([]byte, 0, b.size()), magic...)
	for _, n := range []int64{nanoseconds(b.verified), nanoseconds(b.refused), int64(b.booted)} {
		text = binary.AppendVarint(text, n)
	}
	text = binary.AppendUvarint(text, uint64(len(names)))
	for _, name := range names {
		text = append(binary.AppendUvarint(text, uint64(len(name))), name...)
	}
	text = binary.AppendUvarint(text, uint64(len(b.entries)))
	for _, ds := range slices.Sorted(maps.Keys(b.entries)) {
		e := b.entries[ds]
		text = binary.LittleEndian.AppendUint64(text, uint64(ds))
		text = binary.LittleEndian.AppendUint64(text, e.Load)
		text = binary.LittleEndian.AppendUint64(text, e.Name)
		text = binary.LittleEndian.AppendUint64(text, e.Origin)
		text = binary.AppendVarint(text, e.Changed)
		text = binary.AppendUvarint(text, uint64(len(e.snapshots)))
		txg := uint64(0)
		for _, v := range e.snapshots {
			text = binary.AppendUvarint(text, place[v.Name])
			text = binary.LittleEndian.AppendUint64(text, uint64(v.GUID))
			text = binary.AppendUvarint(text, v.CreateTXG-txg)
			txg = v.CreateTXG
		}
		if len(text) > MaxText-4 {
			return nil
		}
	}
	return binary.LittleEndian.AppendUint32(text, crc32.Checksum(text, sums))
}

// size is about how long the text is: it grows once at most.
func (b *Book) size() int {
	n := 1 << 12
	for _, e := range b.entries {
		n += 48 + 14*len(e.snapshots)
	}
	return min(n, MaxText)
}

func (b *Book) names() (names []string, place map[string]uint64) {
	place = map[string]uint64{}
	for _, e := range b.entries {
		for _, v := range e.snapshots {
			if _, ok := place[v.Name]; !ok {
				place[v.Name] = uint64(len(names))
				names = append(names, v.Name)
			}
		}
	}
	return names, place
}

func nanoseconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

// Parse reads the text of a book. It returns an empty book, and what is wrong,
// if it is not one.
func Parse(text []byte) (*Book, error) {
	r := reader{left: text}
	if len(text) < len(magic)+4 || len(text) > MaxText || string(text[:len(magic)]) != magic {
		return New(), errors.New("not a list of known snapshots")
	}
	r.left = text[len(magic) : len(text)-4]
	if crc32.Checksum(text[:len(text)-4], sums) != binary.LittleEndian.Uint32(text[len(text)-4:]) {
		return New(), errors.New("the list of known snapshots is damaged")
	}
	b := r.book()
	if r.bad || len(r.left) > 0 {
		return New(), errors.New("the list of known snapshots is wrong")
	}
	return b, nil
}

// reader reads numbers until something is wrong.
type reader struct {
	left []byte
	bad  bool
}

func (r *reader) book() *Book {
	b := New()
	b.verified, b.refused = moment(r.varint()), moment(r.varint())
	b.booted = time.Duration(r.varint())
	names := make([]string, 0, r.count(2))
	for range cap(names) {
		n := r.count(1)
		name := string(r.take(n))
		if dataset.CheckShort(name) != nil {
			r.bad = true
		}
		names = append(names, name)
	}
	for range r.count(34) {
		ds := dataset.GUID(r.fixed())
		e := entry{Stamp: Stamp{Load: r.fixed(), Name: r.fixed(), Origin: r.fixed(), Changed: r.varint()}}
		e.snapshots = r.snapshots(names)
		if _, twice := b.entries[ds]; twice || ds == 0 || r.bad {
			r.bad = true
			return b
		}
		b.entries[ds] = e
	}
	return b
}

func (r *reader) snapshots(names []string) []dataset.Version {
	n := r.count(10)
	if n == 0 {
		return nil
	}
	list := make([]dataset.Version, 0, n)
	txg := uint64(0)
	for range n {
		at := r.uvarint()
		v := dataset.Version{Kind: dataset.Snapshot, GUID: dataset.GUID(r.fixed())}
		step := r.uvarint()
		if at >= uint64(len(names)) || v.GUID == 0 || txg+step < txg || r.bad {
			r.bad = true
			return nil
		}
		txg += step
		v.Name, v.CreateTXG = names[at], txg
		list = append(list, v)
	}
	return list
}

func moment(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n)
}

// count reads how many things follow, each of which takes at least size bytes.
func (r *reader) count(size int) int {
	n := r.uvarint()
	if n > uint64(len(r.left)/size) {
		r.bad = true
		return 0
	}
	return int(n)
}

func (r *reader) take(n int) []byte {
	if n > len(r.left) {
		r.bad = true
		return nil
	}
	some := r.left[:n]
	r.left = r.left[n:]
	return some
}

func (r *reader) fixed() uint64 {
	some := r.take(8)
	if some == nil {
		return 0
	}
	return binary.LittleEndian.Uint64(some)
}

func (r *reader) uvarint() uint64 {
	n, size := binary.Uvarint(r.left)
	if size <= 0 {
		r.bad = true
		return 0
	}
	r.left = r.left[size:]
	return n
}

func (r *reader) varint() int64 {
	n, size := binary.Varint(r.left)
	if size <= 0 {
		r.bad = true
		return 0
	}
	r.left = r.left[size:]
	return n
}
