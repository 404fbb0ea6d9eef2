package state

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
)

// Covered is the list of the targets that a job has ever received, each with
// its source. Only a person takes a target out of it: neither a dataset that
// vanishes on either side, nor a peer that hides it.
type Covered struct {
	dir  Dir
	name string
}

// Bounds of a list. A run that finds more has to look at all holds each time.
const (
	maxCovered     = 64 << 20 // bytes
	maxCoveredEach = 200_000  // targets
)

// The last line, which is no dataset's, says that the file is whole, and whether
// all targets are in it.
const (
	coveredEnd  = "@all\n"
	coveredPart = "@some\n"
)

// Covered returns the list of a job.
func (d Dir) Covered(job string) Covered { return Covered{d, job + ".covered"} }

// Read returns the sources by target; an empty one is not known. Whole is false
// if the list was never written, or may lack some.
func (c Covered) Read() (sources map[string]string, whole bool, err error) {
	if c.dir.IsNone() {
		return nil, false, nil
	}
	text, err := c.dir.Read(c.name, maxCovered)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	if sources, whole, err = parseCovered(text); err != nil {
		return nil, false, fmt.Errorf("%q is damaged: %w", c.dir.Where(c.name), err)
	}
	return sources, whole, nil
}

func parseCovered(text []byte) (sources map[string]string, whole bool, err error) {
	lines, whole := bytes.CutSuffix(text, []byte(coveredEnd))
	if !whole {
		var part bool
		if lines, part = bytes.CutSuffix(text, []byte(coveredPart)); !part {
			return nil, false, errors.New("it has no end")
		}
	}
	sources = make(map[string]string, bytes.Count(lines, []byte("\n")))
	for line := range strings.Lines(string(lines)) {
		target, source, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		if !ok || dataset.CheckName(target) != nil || source != "" && dataset.CheckName(source) != nil {
			return nil, false, errors.New("it has lines that are not of a dataset")
		}
		sources[target] = source
	}
	return sources, whole, nil
}

// Add adds targets and removes those that have another name by now. Whole says
// that with these the list lacks none. It returns whether all had room.
func (c Covered) Add(fresh map[string]string, stale []string, whole bool) (fits bool, err error) {
	err = c.change(func(all map[string]string, was bool) bool {
		for _, target := range stale {
			delete(all, target)
		}
		size := len(coveredPart)
		for target, source := range all {
			size += lineLen(target, source)
		}
		fits = true
		for _, target := range slices.Sorted(maps.Keys(fresh)) {
			was, listed := all[target]
			more := lineLen(target, fresh[target])
			if listed {
				more -= lineLen(target, was)
			}
			if size+more > maxCovered || !listed && len(all) >= maxCoveredEach {
				fits = false
				continue
			}
			all[target], size = fresh[target], size+more
		}
		return fits && (was || whole)
	})
	return fits, err
}

func lineLen(target, source string) int { return len(target) + len(source) + 2 }

// Remove removes targets.
func (c Covered) Remove(targets []string) error {
	if c.dir.IsNone() || len(targets) == 0 || !there(c.dir.Path(c.name)) {
		return nil
	}
	return c.change(func(all map[string]string, was bool) bool {
		for _, target := range targets {
			delete(all, target)
		}
		return was
	})
}

// Drop removes the list.
func (c Covered) Drop() error {
	if c.dir.IsNone() {
		return nil
	}
	return c.dir.Remove(c.name)
}

func (c Covered) change(change func(all map[string]string, whole bool) bool) error {
	if c.dir.IsNone() {
		return nil
	}
	return c.dir.Update(c.name, maxCovered, func(old []byte) ([]byte, error) {
		all, whole, err := parseCovered(old)
		if err != nil { // the next run looks at all holds, and notes what they say
			all, whole = map[string]string{}, false
		}
		whole = change(all, whole)
		var b bytes.Buffer
		for _, target := range slices.Sorted(maps.Keys(all)) {
			fmt.Fprintf(&b, "%s\t%s\n", target, all[target])
		}
		if whole {
			b.WriteString(coveredEnd)
		} else {
			b.WriteString(coveredPart)
		}
		return b.Bytes(), nil
	})
}
