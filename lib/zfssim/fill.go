package zfssim

import (
	"fmt"
	"hash/fnv"
	"os"
	"strconv"
)

// fill makes many datasets with many snapshots in one go:
//
//	zfs-sim fill PARENT DATASETS SNAPSHOTS [PREFIX [SEED]]
//
// They are PARENT/d00000… with @PREFIX00000…, empty and not mounted. The same
// seed gives their snapshots the same guids, as replication would.
func (z *cmd) fill(args []string) int {
	if len(args) < 3 || len(args) > 5 {
		return z.fail(2, "usage: zfs-sim fill PARENT DATASETS SNAPSHOTS [PREFIX [SEED]]")
	}
	sets, err := strconv.Atoi(args[1])
	if err != nil || sets < 1 {
		return z.fail(2, "zfs-sim: number of datasets %q is not positive", args[1])
	}
	snaps, err := strconv.Atoi(args[2])
	if err != nil || snaps < 0 {
		return z.fail(2, "zfs-sim: number of snapshots %q is negative", args[2])
	}
	prefix := "s"
	if len(args) > 3 {
		prefix = args[3]
	}
	guid := func(set, snap int) uint64 { return newGUID() }
	if len(args) == 5 {
		guid = func(set, snap int) uint64 {
			h := fnv.New64a()
			fmt.Fprintln(h, args[4], set, snap)
			return max(h.Sum64(), 1)
		}
	}
	return z.change(func(t *tx) int { return z.fillIn(t, args[0], prefix, sets, snaps, guid) })
}

// fillIn stages a dataset with all its children and moves it into place, so
// that it is one change however many there are.
func (z *cmd) fillIn(t *tx, parent, prefix string, sets, snaps int, guid func(set, snap int) uint64) int {
	if why := badName(parent, takeFS, true); why != "" {
		return -z.fail(1, "cannot fill '%s': %s", parent, why)
	}
	if t.get(parent) != nil {
		return -z.fail(1, "cannot fill '%s': dataset already exists", parent)
	}
	if t.get(parentOf(parent)) == nil {
		return -z.fail(1, "cannot fill '%s': parent does not exist", parent)
	}
	dir, err := t.staged()
	if err != nil {
		return -z.fail(1, "cannot fill '%s': %v", parent, err)
	}
	p := t.pool(poolOf(parent))
	first := t.txg(p)
	p.TXG += uint64(snaps)
	begin := t.now - int64(snaps)
	if err := t.fillSet(p, dir, first, begin); err != nil {
		return -z.fail(1, "cannot fill '%s': %v", parent, err)
	}
	for i := range sets {
		kid := fmt.Sprintf("%s/d%05d", dir, i)
		if err := t.fillSet(p, kid, first, begin); err != nil {
			return -z.fail(1, "cannot fill '%s': %v", parent, err)
		}
		vs := make([]*version, snaps)
		for j := range vs {
			vs[j] = &version{kind: '@', name: fmt.Sprintf("%s%05d", prefix, j), guid: guid(i, j), txg: first + 1 + uint64(j), creation: begin + int64(j)}
			vs[j].Ref = baseSize
		}
		if err := os.WriteFile(kid+"/@snaps", []byte(formatVersions(vs)), 0o644); err != nil {
			return -z.fail(1, "cannot fill '%s': %v", parent, err)
		}
	}
	t.do(opMove, dir, t.rel(parent))
	return 0
}

func (t *tx) fillSet(p *pool, dir string, txg uint64, creation int64) error {
	m := meta{GUID: newGUID(), TXG: txg, Creation: creation, ID: t.nextID(p)}
	data, err := encode(&m)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(dir+"/@meta", data, 0o644)
}
