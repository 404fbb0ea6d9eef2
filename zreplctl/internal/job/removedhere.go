package job

import (
	"maps"
	"slices"

	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
)

// RemovedHere returns the datasets of this host on which a job or a client that
// was removed can have holds and bookmarks, also those that do not exist now,
// and the file of the state directory that names them.
func RemovedHere(dir state.Dir, of state.Owner) (names []string, file string, err error) {
	if of.Client {
		file = dir.Path(sessionsName(of.Name))
		s, err := readSessions(dir, of.Name)
		return s.Covered, file, err
	}
	file = dir.Path(of.Name + ".covered")
	covered, _, err := dir.Covered(of.Name).Read()
	if err != nil {
		return nil, file, err
	}
	kind := config.Type("") // without a record the targets count: a push job without one is refused once too often
	if rec, err := ReadRecord(dir, of.Name); err == nil {
		kind = config.Type(rec.Type)
	}
	if kind != config.Push {
		names = slices.Collect(maps.Keys(covered))
	}
	if kind == config.Push || kind == config.Local {
		for _, source := range covered {
			if source != "" {
				names = append(names, source)
			}
		}
	}
	slices.Sort(names)
	return names, file, nil
}
