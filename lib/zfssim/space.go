package zfssim

import (
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// Space is counted simply: a dataset refers to the data of its tree and some
// metadata; snapshots hold what they had when they were made.

const (
	baseSize = 24576 // of an empty filesystem
	embedded = 112   // bytes that ZFS keeps in the block pointer itself
)

// treeSize is the allocated size of a tree's files, in bytes.
func treeSize(root string) uint64 {
	total := uint64(0)
	filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return nil
		}
		if e.IsDir() && path != root && isMount(path) {
			return fs.SkipDir
		}
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() && info.Size() > embedded {
			if st, ok := info.Sys().(*syscall.Stat_t); ok {
				total += uint64(st.Blocks) * 512
			}
		}
		return nil
	})
	return total
}

func (t *tx) referenced(d *ds) uint64 {
	if d.Clean != 0 && !d.Mounted {
		if v := t.byGUID(d, d.Clean); v != nil {
			return v.Ref
		}
	}
	return baseSize + treeSize(t.live(d))
}

// written is what changed in d since its newest snapshot.
func (t *tx) written(d *ds) uint64 {
	v := t.newest(d)
	if v == nil {
		return t.referenced(d)
	}
	if d.Clean == v.guid && !d.Mounted {
		return 0
	}
	return t.changedSince(d, v)
}

// changedSince counts the bytes that differ between d and its version v.
func (t *tx) changedSince(d *ds, v *version) uint64 {
	if d.Clean == v.guid && !d.Mounted {
		return 0
	}
	changes, err := diffTrees(t.dir(d.name, treeOf(v)), t.live(d))
	if err != nil || len(changes) == 0 && !d.Touched {
		return 0
	}
	total := uint64(8192)
	for _, c := range changes {
		total += uint64(c.size)
	}
	return total
}

func (t *tx) space(o object, name string, exact bool) string {
	n := uint64(0)
	switch name {
	case "compressratio":
		return "1.00x"
	case "usedbyrefreservation":
		n = t.reservedUnused(o.d)
	case "used":
		if o.v == nil {
			n = t.used(o.d)
		}
	case "available":
		n = t.available(o.d)
	case "usedbysnapshots":
		n = t.usedBySnapshots(o.d)
	case "usedbychildren":
		for _, kid := range t.children(o.d.name) {
			if d := t.get(kid); d != nil {
				n += t.used(d)
			}
		}
	case "written":
		n = t.writtenOf(o)
	case "referenced", "usedbydataset", "logicalused", "logicalreferenced":
		n = t.referencedOf(o)
	}
	if exact {
		return strconv.FormatUint(n, 10)
	}
	if name == "written" {
		return nice(n) // the one that libzfs prints without a B
	}
	if n < 1024 {
		return strconv.FormatUint(n, 10) + "B"
	}
	return nice(n)
}

func (t *tx) referencedOf(o object) uint64 {
	if o.v != nil {
		return o.v.Ref
	}
	return t.referenced(o.d)
}

func (t *tx) writtenOf(o object) uint64 {
	if o.v == nil {
		return t.written(o.d)
	}
	last := uint64(0)
	for _, v := range t.snapshots(o.d) {
		if v == o.v {
			break
		}
		last = v.Ref
	}
	if o.v.Ref > last {
		return o.v.Ref - last
	}
	return 0
}

func (t *tx) usedBySnapshots(d *ds) uint64 {
	n, live := uint64(0), t.referenced(d)
	for _, v := range t.snapshots(d) {
		if v.Ref > live {
			n += v.Ref - live
		}
	}
	return n
}

func (t *tx) used(d *ds) uint64 {
	if t.write {
		return t.countUsed(d)
	}
	n, ok := t.sums[d]
	if !ok {
		if t.sums == nil {
			t.sums = map[*ds]uint64{}
		}
		n = t.countUsed(d)
		t.sums[d] = n
	}
	return n
}

func (t *tx) countUsed(d *ds) uint64 {
	n := t.referenced(d) + t.usedBySnapshots(d) + t.reservedUnused(d) + t.partialSize(d)
	for _, kid := range t.children(d.name) {
		if k := t.get(kid); k != nil {
			n += t.used(k)
		}
	}
	if v, ok := d.own("reservation"); ok {
		if r, err := strconv.ParseUint(v.text, 10, 64); err == nil {
			n = max(n, r)
		}
	}
	return n
}

// partialSize is what a receive that is not complete takes.
func (t *tx) partialSize(d *ds) uint64 {
	if d.Partial == nil {
		return 0
	}
	info, err := os.Stat(t.dir(d.name, "@recv", "log"))
	if err != nil {
		return 0
	}
	return uint64(info.Size())
}

// reservedUnused is how much of its refreservation a dataset has not written.
func (t *tx) reservedUnused(d *ds) uint64 {
	v, ok := d.own("refreservation")
	if !ok {
		return 0
	}
	n, err := strconv.ParseUint(v.text, 10, 64)
	if err != nil || n == 0 {
		return 0
	}
	return sub(n, t.written(d))
}

func (t *tx) available(d *ds) uint64 {
	left := t.poolRoom(d)
	for at := d; at != nil; at = t.get(parentOf(at.name)) {
		if v, ok := at.own("quota"); ok {
			if q, err := strconv.ParseUint(v.text, 10, 64); err == nil && q > 0 {
				left = min(left, sub(q, t.used(at)))
			}
		}
		if parentOf(at.name) == "" {
			break
		}
	}
	return left
}

func sub(a, b uint64) uint64 {
	if a < b {
		return 0
	}
	return a - b
}

// writtenSince is the property written@SNAP or written#MARK.
func (t *tx) writtenSince(o object, kindName string, exact bool) (value, bool) {
	if o.v != nil {
		return noValue, false
	}
	if i := strings.IndexAny(kindName[1:], "@#"); i >= 0 {
		kindName = kindName[1+i:]
	}
	v := t.find(o.d, kindName)
	if v == nil {
		return noValue, false
	}
	n := t.changedSince(o.d, v)
	if exact {
		return value{strconv.FormatUint(n, 10), "-", "-"}, true
	}
	return value{nice(n), "-", "-"}, true
}

// bounded says whether d can run out of space at all: its pool is of files, or
// there is a quota. Counting what is used reads the whole pool.
func (t *tx) bounded(d *ds) bool {
	if d.pool.Size < defaultPoolSize {
		return true
	}
	for at := d; at != nil; at = t.get(parentOf(at.name)) {
		if v, ok := at.own("quota"); ok && v.text != "0" {
			return true
		}
		if parentOf(at.name) == "" {
			break
		}
	}
	return false
}

// room is what d may still grow by.
func (t *tx) room(d *ds) uint64 {
	if !t.bounded(d) {
		return math.MaxUint64 / 2
	}
	return t.available(d)
}

// poolRoom is what the pool has left, whatever the quotas say.
func (t *tx) poolRoom(d *ds) uint64 {
	return sub(d.pool.Size-d.pool.Size/32, t.used(t.get(d.pool.Name)))
}
