package job

import (
	"maps"
	"slices"

	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
)

// Here is a file of the state directory, and the datasets of this host that it
// names, also those that do not exist now.
type Here struct {
	File     string // a pattern, if they are several
	Datasets []string
	Err      error // it cannot be read
}

// RemovedHere returns the datasets on which a job or a client that was removed
// can have holds and bookmarks.
func RemovedHere(dir state.Dir, l state.Left) (all []Here) {
	if l.Client {
		s, err := readSessions(dir, l.Name)
		return []Here{{dir.Path(sessionsName(l.Name)), s.Covered, err}}
	}
	names, err := coveredHere(dir, l.Name)
	all = append(all, Here{dir.Path(l.Name + ".covered"), names, err})
	if len(l.Receivers()) > 0 {
		var sent []string
		err := dir.ChainsOf(l, func(c state.Chain) { sent = append(sent, c.Dataset) })
		all = append(all, Here{dir.Path(l.Name) + "@*", sent, err})
	}
	return all
}

// coveredHere returns those datasets of this host that a job received or pushed.
func coveredHere(dir state.Dir, name string) (names []string, err error) {
	covered, _, err := dir.Covered(name).Read()
	if err != nil {
		return nil, err
	}
	kind := config.Type("") // without a record the targets count: a push job without one is refused once too often
	if rec, err := ReadRecord(dir, name); err == nil {
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
	return names, nil
}
