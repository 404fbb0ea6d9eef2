package upkeep

import (
	"cmp"
	"encoding/binary"
	"hash/crc32"
	"slices"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/prune"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
)

// creations remember when snapshots were created, which ZFS is slow to tell.
// A snapshot is known by its guid and its createtxg: another host can choose
// the one, and not the other.
type creations struct {
	known []created // in order
	used  int       // of known, in this run
	fresh bool      // something was asked for that is not known
}

type created struct {
	guid     dataset.GUID
	txg      uint64
	creation int64
}

func (c created) compare(d created) int {
	return cmp.Or(cmp.Compare(c.guid, d.guid), cmp.Compare(c.txg, d.txg))
}

const (
	creationsMagic = "zreplctl creations 1\n"
	createdSize    = 24
	maxCreations   = 2_000_000
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// readCreations reads what earlier runs have found, nil if that is not there
// or not whole.
func readCreations(dir state.Dir, name string) *creations {
	text, err := dir.Read(name, int64(len(creationsMagic)+maxCreations*createdSize+4))
	size := len(text) - len(creationsMagic) - 4
	if err != nil || size < 0 || size%createdSize != 0 || string(text[:len(creationsMagic)]) != creationsMagic {
		return nil
	}
	body, sum := text[:len(text)-4], binary.LittleEndian.Uint32(text[len(text)-4:])
	if crc32.Checksum(body, castagnoli) != sum {
		return nil
	}
	c := &creations{known: make([]created, 0, size/createdSize)}
	for b := body[len(creationsMagic):]; len(b) > 0; b = b[createdSize:] {
		c.known = append(c.known, created{dataset.GUID(binary.LittleEndian.Uint64(b)), binary.LittleEndian.Uint64(b[8:]), int64(binary.LittleEndian.Uint64(b[16:]))})
	}
	if !slices.IsSortedFunc(c.known, created.compare) {
		return nil
	}
	return c
}

func (c *creations) get(guid dataset.GUID, txg uint64) (int64, bool) {
	at, ok := slices.BinarySearchFunc(c.known, created{guid: guid, txg: txg}, created.compare)
	if !ok {
		c.fresh = true
		return 0, false
	}
	c.used++
	return c.known[at].creation, true
}

// stale reports whether the file should be written again: something is new, or
// much is gone.
func (c *creations) stale() bool { return c == nil || c.fresh || c.used < len(c.known)*7/8 }

func writeCreations(dir state.Dir, name string, groups []prune.Group) error {
	var all []created
	for _, g := range groups {
		for i := range g.Snapshots {
			all = append(all, created{g.GUIDs[i], g.Snapshots[i].CreateTXG, g.Snapshots[i].Creation})
		}
	}
	slices.SortFunc(all, created.compare)
	all = all[:min(len(all), maxCreations)]
	text := append(make([]byte, 0, len(creationsMagic)+len(all)*createdSize+4), creationsMagic...)
	for _, c := range all {
		text = binary.LittleEndian.AppendUint64(text, uint64(c.guid))
		text = binary.LittleEndian.AppendUint64(text, c.txg)
		text = binary.LittleEndian.AppendUint64(text, uint64(c.creation))
	}
	text = binary.LittleEndian.AppendUint32(text, crc32.Checksum(text, castagnoli))
	return dir.Write(name, text)
}
