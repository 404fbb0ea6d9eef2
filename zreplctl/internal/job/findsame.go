package job

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/plural"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
)

// errMoved: what a name leads to is not what it led to at the beginning.
var errMoved = errors.New("was renamed or destroyed meanwhile; run it again")

// there reports whether a snapshot still exists, and fails if its dataset does not.
func (f *Files) there(ctx context.Context, s shot) (bool, error) {
	guids, err := f.guids(ctx)
	return guids[s.name] != "", err
}

// unchanged fails if the dataset was renamed or destroyed since its snapshots were
// listed, or if one has another's name now: then names led to what was not meant.
func (f *Files) unchanged(ctx context.Context) error {
	guids, err := f.guids(ctx)
	if err != nil {
		return err
	}
	for _, s := range f.shots {
		if now := guids[s.name]; now != "" && now != s.guid {
			return fmt.Errorf("%q %w", f.fs.name+"@"+s.name, errMoved)
		}
	}
	if f.gone > 0 {
		f.Run.tell(fmt.Sprintf("destroyed meanwhile: %s of %s", plural.Of(f.gone, "snapshot"), f.fs.name))
	}
	return nil
}

// guids are those of the dataset's snapshots, by their names without it.
func (f *Files) guids(ctx context.Context) (map[string]string, error) {
	found, same := map[string]string{}, false
	o := zfs.ListOptions{Types: []string{"filesystem", "snapshot"}, Columns: []string{"name", "guid"}, Roots: []string{f.fs.name}, Depth: 1}
	err := zfs.Present(f.Run.Programs.ZFS.List(ctx, o, func(fields []string) error {
		switch ds, kind, short := dataset.Split(strings.Clone(fields[0])); {
		case ds == f.fs.name && kind == dataset.Snapshot:
			found[short] = strings.Clone(fields[1])
		case ds == f.fs.name:
			same = fields[1] == f.fs.guid
		}
		return nil
	}))
	if err == nil && !same {
		err = fmt.Errorf("%q %w", f.fs.name, errMoved)
	}
	return found, err
}
