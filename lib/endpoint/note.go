package endpoint

import (
	"fmt"

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
func (s *Sender) note(common []transfer.Snap) error {
	if s.Note == nil || len(common) == 0 {
		return nil
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
