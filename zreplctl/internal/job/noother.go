package job

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"sync"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
)

// others returns what reports why a copy may not have another name: it, or
// something below it, is on the list of another job that receives here, which
// would miss it. The lists are read once.
func others(dir state.Dir, job string) func(copied string) error {
	var listed map[string]string
	var names []string
	read := sync.OnceValue(func() (err error) {
		listed, err = listedByOthers(dir, job)
		names = slices.Sorted(maps.Keys(listed))
		return err
	})
	return func(copied string) error {
		if err := read(); err != nil {
			return err
		}
		for _, target := range names {
			if dataset.Within(target, copied) {
				return fmt.Errorf("%q is a copy of job %q, too", target, listed[target])
			}
		}
		return nil
	}
}

// listedByOthers are the copies on the lists of other jobs, with the jobs.
func listedByOthers(dir state.Dir, job string) (map[string]string, error) {
	all := map[string]string{}
	for _, other := range dir.Files(".covered") {
		if other == job {
			continue
		}
		rec, err := ReadRecord(dir, other)
		switch {
		case err == nil && rec.Type == string(config.Push): // its list is of another host's
			continue
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return nil, fmt.Errorf("cannot tell what job %q is: %w", other, err)
		}
		targets, _, err := dir.Covered(other).Read()
		if err != nil {
			return nil, fmt.Errorf("cannot read which copies job %q has: %w", other, err)
		}
		for target := range targets {
			all[target] = other
		}
	}
	return all, nil
}
