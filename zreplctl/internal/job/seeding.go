package job

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/progress"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
)

// seeding is the note of an import that has not brought all of its file: it may have
// failed, been killed, or be under way. Without it, the copies that came would speak
// for those that did not, of which this host knows nothing before the job's first run.
type seeding struct {
	Since progress.Time `json:"since"`
}

const maxSeeding = 1 << 10

func seedingName(job string) string { return job + ".seeding" }

// Seeding is since when an import into a job has not brought all; zero: there is
// none.
func Seeding(dir state.Dir, job string) (time.Time, error) {
	var s seeding
	err := readNote(dir, seedingName(job), maxSeeding, &s)
	return s.Since.Time, unlessMissing(err)
}

// noteSeeding makes the note.
func noteSeeding(dir state.Dir, job string, since time.Time) error {
	text, err := json.Marshal(seeding{progress.At(since)})
	if err == nil {
		err = dir.Write(seedingName(job), append(text, '\n'))
	}
	if err != nil {
		return fmt.Errorf("cannot note the import: %w", err)
	}
	return nil
}
