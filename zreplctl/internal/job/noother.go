package job

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
)

// noOther reports why a copy may not have another name: it, or something below it,
// is on the list of another job that receives here, which would miss it.
func noOther(dir state.Dir, job, copied string) error {
	for _, other := range dir.Files(".covered") {
		if other == job {
			continue
		}
		rec, err := ReadRecord(dir, other)
		switch {
		case err == nil && rec.Type == string(config.Push): // its list is of another host's
			continue
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return fmt.Errorf("cannot tell what job %q is: %w", other, err)
		}
		targets, _, err := dir.Covered(other).Read()
		if err != nil {
			return fmt.Errorf("cannot read which copies job %q has: %w", other, err)
		}
		for _, target := range slices.Sorted(maps.Keys(targets)) {
			if dataset.Within(target, copied) {
				return fmt.Errorf("%q is a copy of job %q, too", target, other)
			}
		}
	}
	return nil
}
