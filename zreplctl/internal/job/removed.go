package job

import (
	"errors"
	"io/fs"
	"os"
	"slices"

	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
)

// Removed lists what the state directory keeps of jobs and clients that the
// configuration does not have.
func Removed(c *config.Config) []state.Left {
	return state.Of(c.Global).Left(func(o state.Owner) bool {
		return slices.ContainsFunc(c.Jobs, func(j *config.Job) bool {
			return !o.Client && j.Name == o.Name || o.Client && slices.Contains(j.Clients(), o.Name)
		})
	})
}

// FormerName returns the name of a job that is not in the configuration any
// more and that j seems to be under a new name: j has never done anything, and
// all copies of that job that are known have their place in j. Empty: there is
// none.
func FormerName(c *config.Config, j *config.Job) (name string) {
	dir := state.Of(c.Global)
	if !j.Replicates() || !isNew(dir, j) {
		return ""
	}
	most := 0
	for _, left := range Removed(c) {
		if left.Client || !slices.Contains(left.Files, left.Name+".covered") {
			continue
		}
		if rec, err := ReadRecord(dir, left.Name); err == nil && rec.Type != string(j.Type) {
			continue
		}
		if n := fitting(dir, left.Name, j); n > most {
			name, most = left.Name, n
		}
	}
	return name
}

// ServedNow returns the job that serves a client of a removed job now: the
// removed one has a new name, or the client moved. The files of a sink name no
// client; for it j is a sink that never received anything, and client is empty.
func ServedNow(c *config.Config, l state.Left) (j *config.Job, client string) {
	dir := state.Of(c.Global)
	for _, client := range RemovedClients(dir, l) {
		for _, j := range c.Jobs {
			if slices.Contains(j.Clients(), client) {
				return j, client
			}
		}
	}
	if !slices.Contains(l.Files, l.Name+".received") || slices.Contains(l.Files, l.Name+".covered") {
		return nil, "" // it was no sink
	}
	for _, j := range c.Jobs {
		if _, err := os.Stat(dir.Path(j.Name + ".received")); j.Type == config.PushSink && errors.Is(err, fs.ErrNotExist) {
			return j, ""
		}
	}
	return nil, ""
}

// RemovedClients are the clients of a removed source that its files name.
func RemovedClients(dir state.Dir, l state.Left) []string {
	if l.Client {
		return nil
	}
	if rec, err := ReadRecord(dir, l.Name); err == nil && rec.Type != string(config.Source) {
		return nil // its own name is there
	}
	return l.Receivers()
}

// isNew reports whether a job never did anything.
func isNew(dir state.Dir, j *config.Job) bool {
	covered, _, err := dir.Covered(j.Name).Read()
	if err != nil || len(covered) > 0 {
		return false
	}
	rec, err := ReadRecord(dir, j.Name)
	return errors.Is(err, fs.ErrNotExist) || err == nil && rec.Success == nil
}

// fitting counts the copies of a job that was removed, 0 if one of them would
// not be j's.
func fitting(dir state.Dir, removed string, j *config.Job) (n int) {
	covered, _, err := dir.Covered(removed).Read()
	if err != nil {
		return 0
	}
	for target, source := range covered {
		switch {
		case source == "":
		case !fits(j, source, target):
			return 0
		default:
			n++
		}
	}
	return n
}

// fits reports whether j would replicate a source to a target.
func fits(j *config.Job, source, target string) bool {
	switch {
	case j.Type == config.Push:
		return j.Datasets.Pass(source)
	case j.Mapping != nil:
		to, ok := j.Mapping.Map(source)
		return ok && to == target
	}
	return j.Root+"/"+source == target
}
