package job

import (
	"slices"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/cursor"
	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/identity"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
)

// HasArrived returns what reports whether a receiver has a version of a dataset,
// by the tag of its cursor. It says so only if a run has seen it, or if the
// receiver told it: without notes nothing has arrived.
func (r *Run) HasArrived() func(tag, ds string, g dataset.GUID) bool {
	seen := map[string]map[string][]dataset.GUID{}
	return func(tag, ds string, g dataset.GUID) bool {
		known, read := seen[tag]
		if !read {
			known = r.arrived(tag)
			seen[tag] = known
		}
		return slices.Contains(known[ds], g)
	}
}

// arrived reads what the receiver with a tag has. Any user that may hold
// snapshots can choose a tag, so it must be that of a legal identity.
func (r *Run) arrived(tag string) map[string][]dataset.GUID {
	for _, role := range []config.Type{config.Source, config.Push, config.Local} {
		id, ok := strings.CutPrefix(tag, cursor.Tag(string(role), ""))
		switch {
		case !ok:
		case identity.Check(id) != nil:
			return nil
		case role == config.Source:
			return toldArrived(r.state(), tag)
		case role == r.Job.Type && id == r.Job.Name:
			source, _, _ := r.Known()
			return source
		default:
			b, _ := ReadBases(r.state(), id) // if it is damaged, nothing has arrived
			return b.Source
		}
	}
	return nil
}

// toldArrived is what a client has told.
func toldArrived(dir state.Dir, tag string) map[string][]dataset.GUID {
	told, _ := dir.Common(tag).Read() // if it is damaged, nothing has arrived
	all := make(map[string][]dataset.GUID, len(told))
	for ds, g := range told {
		all[ds] = []dataset.GUID{g}
	}
	return all
}
