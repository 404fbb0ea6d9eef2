package endpoint

import (
	"context"
	"fmt"
	"slices"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// Note keeps, by dataset, the guid of the newest version that a receiver has; 0:
// it has none.
type Note interface {
	Read() (map[string]dataset.GUID, error)
	Write(map[string]dataset.GUID) error
}

// note keeps what the receiver says that it has. What cannot be noted looks
// older than it is, which is safe; that it has nothing any more must be noted.
func (s *Sender) note(ctx context.Context, common []transfer.Snap) error {
	if s.Note == nil || len(common) == 0 {
		return nil
	}
	if s.Renamed != nil {
		s.noteRenamed(ctx, common)
	}
	guids, lost := map[string]dataset.GUID{}, false
	for _, snap := range common {
		guids[snap.Dataset] = snap.GUID
		lost = lost || snap.GUID == 0
	}
	if err := s.Note.Write(guids); err != nil && lost {
		return fmt.Errorf("cannot note that the receiver has no copy: %w", err)
	}
	return nil
}

// noteRenamed tells which datasets have another name by now: what the receiver
// has of one is what it had of another, which is not there any more. It costs two
// commands, and none unless the notes say so.
func (s *Sender) noteRenamed(ctx context.Context, common []transfer.Snap) {
	noted, err := s.Note.Read()
	if err != nil || len(noted) == 0 {
		return
	}
	was := make(map[dataset.GUID]string, len(noted))
	for ds, g := range noted {
		if _, twice := was[g]; twice {
			ds = ""
		}
		was[g] = ds
	}
	maybe, pools, fresh := map[string]transfer.Snap{}, []string(nil), []string(nil)
	for _, now := range common {
		if from := was[now.GUID]; now.GUID != 0 && noted[now.Dataset] == 0 && from != "" && from != now.Dataset {
			maybe[from] = now
			pools, fresh = append(pools, dataset.Pool(from)), append(fresh, now.Dataset)
		}
	}
	if len(maybe) == 0 {
		return
	}
	slices.Sort(pools)
	names, err := s.ZFS.Names(ctx, slices.Compact(pools)) // fails if one is not there
	if err != nil {
		return
	}
	for _, there := range names {
		delete(maybe, there)
	}
	versions, err := s.ZFS.Versions(ctx, fresh, false)
	if err != nil {
		return
	}
	renamed := map[string]string{}
	for from, now := range maybe {
		if slices.ContainsFunc(versions[now.Dataset], func(v dataset.Version) bool { return v.GUID == now.GUID }) {
			renamed[from] = now.Dataset
		}
	}
	if len(renamed) > 0 {
		s.Renamed(renamed)
	}
}

// noted returns what is noted of a dataset. A note that cannot be read is as
// if it were lost: the receiver tells again.
func (s *Sender) noted() func(ds string) string {
	if s.Note == nil {
		return func(string) string { return "" }
	}
	guids, _ := s.Note.Read()
	return func(ds string) string {
		switch g, ok := guids[ds]; {
		case !ok:
			return transfer.CommonUnknown
		case g == 0:
			return transfer.CommonNone
		default:
			return g.String()
		}
	}
}
