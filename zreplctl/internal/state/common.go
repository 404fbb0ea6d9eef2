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

// Common is a note of the newest version that a receiver has of each dataset
// that is sent to it, by the receiver's own word.
type Common struct {
	dir  Dir
	name string
}

// Bounds of a note. More datasets than that are not noted.
const (
	maxCommon     = 64 << 20 // bytes
	maxCommonEach = 200_000  // datasets
)

// Common returns the note about the receiver whose cursors have a tag.
func (d Dir) Common(tag string) Common { return Common{d, tag + ".common"} }

// Read returns the guids by dataset, 0 for one of which the receiver has
// nothing. A note that was never written is empty.
func (c Common) Read() (map[string]dataset.GUID, error) {
	if c.dir.IsNone() {
		return nil, nil
	}
	text, err := c.dir.Read(c.name, maxCommon)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	guids, err := parseCommon(text)
	if err != nil {
		return nil, fmt.Errorf("%q is damaged: %w", c.dir.Where(c.name), err)
	}
	return guids, nil
}

// The last line says that the file is whole.
const commonEnd = "end\n"

func parseCommon(text []byte) (map[string]dataset.GUID, error) {
	text, whole := bytes.CutSuffix(text, []byte(commonEnd))
	if !whole {
		return nil, errors.New("it has no end")
	}
	guids := make(map[string]dataset.GUID, bytes.Count(text, []byte("\n")))
	for line := range strings.Lines(string(text)) {
		ds, guid, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		if !ok || dataset.CheckName(ds) != nil {
			return nil, errors.New("it has lines that are not of a dataset")
		}
		g, err := dataset.ParseGUID(guid)
		if guid != "0" && err != nil {
			return nil, err
		}
		guids[ds] = g
	}
	return guids, nil
}

// Write notes guids, and keeps what is noted of other datasets.
func (c Common) Write(guids map[string]dataset.GUID) error {
	return c.change(func(all map[string]dataset.GUID) {
		for ds, g := range guids {
			if _, known := all[ds]; known || len(all) < maxCommonEach {
				all[ds] = g
			}
		}
	})
}

// Forget removes what is noted of datasets.
func (c Common) Forget(names []string) error {
	if c.dir.IsNone() || !there(c.dir.Path(c.name)) {
		return nil
	}
	return c.change(func(all map[string]dataset.GUID) {
		for _, ds := range names {
			delete(all, ds)
		}
	})
}

func (c Common) change(change func(map[string]dataset.GUID)) error {
	if c.dir.IsNone() {
		return nil
	}
	return c.dir.Update(c.name, maxCommon, func(old []byte) ([]byte, error) {
		all, err := parseCommon(old)
		if err != nil { // of a damaged note nothing can be trusted; the receiver tells again
			all = map[string]dataset.GUID{}
		}
		change(all)
		var b bytes.Buffer
		for _, ds := range slices.Sorted(maps.Keys(all)) {
			fmt.Fprintf(&b, "%s\t%d\n", ds, uint64(all[ds]))
		}
		b.WriteString(commonEnd)
		return b.Bytes(), nil
	})
}
