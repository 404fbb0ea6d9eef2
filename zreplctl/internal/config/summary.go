package config

import (
	"fmt"
	"strings"
)

// Summary says in a sentence what the job will do.
func (j *Job) Summary() string {
	from, to := j.Where()
	parts := []string{j.deed(from, to)}
	if j.Snapshots() {
		parts = append(parts, fmt.Sprintf("takes snapshots %s*", j.SnapshotPrefix))
	}
	if j.Type == Prune {
		parts[0] = fmt.Sprintf("prunes %s: %s", from, j.Prune)
	} else if j.Prune != nil {
		parts = append(parts, "prunes its side: "+j.Prune.String())
	}
	if j.PruneLHS != nil {
		parts = append(parts, "prunes the source: "+j.PruneLHS.String())
	}
	if j.PruneRHS != nil {
		parts = append(parts, "prunes the target: "+j.PruneRHS.String())
	}
	when := "when told to"
	if j.Interval > 0 {
		when = "every " + FormatDuration(j.Interval)
	}
	return strings.Join(parts, "; ") + "; " + when
}

func (j *Job) deed(from, to string) string {
	switch j.Type {
	case Pull:
		return fmt.Sprintf("pulls from %s into %s", from, to)
	case Push:
		return fmt.Sprintf("pushes %s to %s", from, to)
	case Source:
		if len(j.Clients()) > 1 {
			return fmt.Sprintf("offers %s to the clients %s", from, to)
		}
		return fmt.Sprintf("offers %s to the client %s", from, to)
	case PushSink:
		return fmt.Sprintf("receives from the client %s into %s", from, to)
	case Local:
		return fmt.Sprintf("replicates %s into %s", from, to)
	}
	return "looks after " + from
}
