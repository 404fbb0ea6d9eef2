package state

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"github.com/zrepl-tools/zrepl-tools/lib/clean"
	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
)

// Verified is what comparing a job's copies with their sources has found, by
// target.
type Verified struct {
	dir  Dir
	name string
}

// Verification is what was found of one copy.
type Verification struct {
	Source string `json:"source,omitempty"`
	// Tried is when it was last looked at, in seconds since 1970. At is when that
	// last came to a result; 0: never.
	Tried int64 `json:"tried"`
	At    int64 `json:"at,omitempty"`
	// GUID is that of the newest snapshot that was compared, and TXG its createtxg
	// on the target: another copy of that name has another one.
	GUID dataset.GUID `json:"guid,omitempty,string"`
	TXG  uint64       `json:"txg,omitempty"`
	// Differing are the snapshots that differed and that were not found to be the
	// same since, at most MaxDiffering.
	Differing []Differing `json:"differing,omitempty"`
	// Failed is when the copy or its source could not be read, and Why says why; 0:
	// the last comparison came to a result.
	Failed int64  `json:"failed,omitempty"`
	Why    string `json:"why,omitempty"`
}

// Differing is a snapshot that differed from the source's.
type Differing struct {
	At       int64        `json:"at"`
	Snapshot string       `json:"snapshot"` // its name on the source
	GUID     dataset.GUID `json:"guid,string"`
	TXG      uint64       `json:"txg"` // on the target
	Why      string       `json:"why,omitempty"`
}

// Differs reports whether a snapshot differed.
func (v Verification) Differs() bool { return len(v.Differing) > 0 }

// MaxDiffering is how many snapshots of a copy are noted that differ: the oldest
// ones, which stay longest.
const MaxDiffering = 100

// Bounds of the file.
const (
	maxVerified     = 128 << 20 // bytes
	maxVerifiedEach = 200_000   // copies
	maxVerifiedWhy  = 300       // bytes
)

// Verified returns the file of a job.
func (d Dir) Verified(job string) Verified { return Verified{d, job + ".verified"} }

// Read returns what was found, by target.
func (v Verified) Read() (map[string]Verification, error) {
	all := map[string]Verification{}
	if v.dir.IsNone() {
		return all, nil
	}
	text, err := v.dir.Read(v.name, maxVerified)
	if errors.Is(err, fs.ErrNotExist) {
		return all, nil
	}
	if err != nil {
		return all, err
	}
	return parseVerified(text)
}

// ErrDamaged says that a file was read, and is not what was written.
var ErrDamaged = errors.New("it is damaged")

func parseVerified(text []byte) (map[string]Verification, error) {
	var all map[string]Verification
	if err := json.Unmarshal(text, &all); err != nil {
		return map[string]Verification{}, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if all == nil {
		all = map[string]Verification{}
	}
	return all, nil
}

// SetAside renames a damaged file, and returns where it is then.
func (v Verified) SetAside() (string, error) {
	lock, err := v.dir.lock(v.name)
	if err != nil {
		return "", err
	}
	defer lock.Close()
	text, err := v.dir.Read(v.name, maxVerified)
	if err == nil {
		err = v.dir.Write(v.damaged(), text)
	}
	if err == nil {
		err = v.dir.Remove(v.name)
	}
	return v.dir.Path(v.damaged()), err
}

func (v Verified) damaged() string { return v.name + ".damaged" }

// Lost is where a damaged file was put, as long as copies have to be compared
// again for it; empty: there is none.
func (v Verified) Lost() string {
	if !v.dir.Has(v.damaged()) {
		return ""
	}
	return v.dir.Path(v.damaged())
}

// Regained removes the damaged file: all was compared again.
func (v Verified) Regained() error { return v.dir.Remove(v.damaged()) }

// Update adds what was found of some copies, and removes copies that are gone. It
// never replaces a file that cannot be read.
func (v Verified) Update(found map[string]Verification, gone []string) error {
	if v.dir.IsNone() || len(found)+len(gone) == 0 {
		return nil
	}
	if err := v.dir.Make(); err != nil {
		return err
	}
	lock, err := v.dir.lock(v.name)
	if err != nil {
		return err
	}
	defer lock.Close()
	all, err := v.Read()
	if err != nil {
		return err
	}
	for _, target := range gone {
		delete(all, target)
	}
	for target, one := range found {
		one.Why = clean.Line(one.Why, maxVerifiedWhy)
		one.Differing = slices.Clone(one.Differing[max(0, len(one.Differing)-MaxDiffering):])
		for i := range one.Differing {
			one.Differing[i].Why = clean.Line(one.Differing[i].Why, maxVerifiedWhy)
		}
		all[target] = one
	}
	forgetOldest(all)
	text, err := clean.JSON(all)
	if err != nil {
		return err
	}
	return v.dir.Write(v.name, append(text, '\n'))
}

// Move gives copies the names that they have now.
func (v Verified) Move(now map[string]string) error {
	all, err := v.Read()
	if err != nil {
		return err
	}
	found, gone := map[string]Verification{}, []string(nil)
	for was, to := range now {
		if one, noted := all[was]; noted {
			found[to], gone = one, append(gone, was)
		}
	}
	return v.Update(found, gone)
}

// forgetOldest keeps no more copies than the file has room for: those that differ,
// and those looked at last.
func forgetOldest(all map[string]Verification) {
	if len(all) <= maxVerifiedEach {
		return
	}
	names := slices.SortedFunc(maps.Keys(all), func(a, b string) int {
		if all[a].Differs() != all[b].Differs() {
			return map[bool]int{true: -1, false: 1}[all[a].Differs()]
		}
		return cmp.Or(cmp.Compare(all[b].Tried, all[a].Tried), cmp.Compare(a, b))
	})
	for _, name := range names[maxVerifiedEach:] {
		delete(all, name)
	}
}
