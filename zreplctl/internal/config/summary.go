package config

import (
	"fmt"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/mapfilter"
)

// Summary says in a sentence what the job will do.
func (j *Job) Summary() string {
	_, to := j.Where()
	parts := []string{j.deed(to)}
	if j.Type == Prune {
		parts[0] = fmt.Sprintf("prunes %s: %s", scope(j.Datasets), j.Prune)
	}
	if j.Select != nil {
		parts = append(parts, fmt.Sprintf("only datasets with %q", j.Select))
	}
	if j.SnapshotRules != nil {
		words := "only snapshots whose names " + j.Choice().String()
		if j.SnapshotRules.Newest {
			words = strings.Replace(words, "only snapshots", "only the newest of the snapshots", 1)
		}
		parts = append(parts, words)
	}
	if j.Snapshots() {
		parts = append(parts, fmt.Sprintf("takes snapshots %s*", j.SnapshotPrefix))
	}
	if j.Prune != nil && j.Type != Prune {
		parts = append(parts, "prunes its side: "+j.Prune.String())
	}
	if j.PruneLHS != nil {
		parts = append(parts, "prunes the source: "+j.PruneLHS.String())
	}
	if j.PruneRHS != nil {
		parts = append(parts, "prunes the target: "+j.PruneRHS.String())
	}
	if len(j.piles) > 0 {
		parts = append(parts, "no policy: the snapshots that it "+strings.Join(j.piles, " and ")+" pile up")
	}
	if when := j.when(); when != "" {
		parts = append(parts, when)
	}
	return strings.Join(parts, "; ")
}

// when says when the job runs, "" if there is nothing to run.
func (j *Job) when() string {
	switch {
	case j.Timed():
		return j.InWords()
	case j.Replicates() || j.Snapshots() || j.Prunes():
		return "no interval: runs only by hand or from cron"
	}
	return "whenever its client comes"
}

func (j *Job) deed(to string) string {
	what := "everything"
	if rules := j.Sources(); rules != nil {
		what = scope(rules)
	}
	switch j.Type {
	case Pull:
		return fmt.Sprintf("pulls %s from %s into %s", what, j.peer(), to)
	case Push:
		return fmt.Sprintf("pushes %s to %s", what, to)
	case Source:
		if len(j.Clients()) > 1 {
			return fmt.Sprintf("offers %s to the clients %s", what, to)
		}
		return fmt.Sprintf("offers %s to the client %s", what, to)
	case PushSink:
		return fmt.Sprintf("receives %s from the client %s into %s", what, j.peer(), to)
	case Local:
		return fmt.Sprintf("replicates %s into %s", what, to)
	}
	return "looks after " + what
}

// scope says which datasets rules name, and which of them they leave out.
func scope(rules *mapfilter.Rules) string {
	words := inWords(rules.Tops())
	if omitted := rules.Omitted(); len(omitted) > 0 {
		words += " without " + inWords(omitted)
	}
	if excepted := rules.Excepted(); len(excepted) > 0 {
		words += " but " + inWords(excepted)
	}
	return words
}

// inWords tells a dataset alone from one with all below it.
func inWords(patterns []string) string {
	var words []string
	for _, p := range patterns {
		switch top, tree := strings.CutSuffix(p, "<"); {
		case p == "<":
			words = append(words, "everything")
		case tree:
			words = append(words, top+" and all below it")
		default:
			words = append(words, top+" alone")
		}
	}
	return some(words, ", ")
}
