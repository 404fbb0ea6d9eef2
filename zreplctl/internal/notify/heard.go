package notify

import (
	"fmt"
	"maps"
	"slices"

	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/health"
)

// heard is what a command was told of a job. Its state alone is that of its
// worst dataset, which could hide all others.
type heard struct {
	State health.State `json:"state"`
	Level health.Level `json:"level"`
	// Bad counts the datasets that are not well, by state and level.
	Bad map[string]int `json:"bad,omitempty"`
}

func kind(d health.Dataset) string { return fmt.Sprintf("%s %d", d.State, d.Level) }

// hear is what there is to be told of a job. If ZFS did not answer, what was
// known before still counts: it is no news when ZFS answers again.
func hear(j health.Job, was heard) heard {
	now := heard{State: j.State, Level: j.Level, Bad: map[string]int{}}
	for _, d := range j.Datasets {
		if d.Level != health.Good {
			now.Bad[kind(d)]++
		}
	}
	if len(j.Datasets) == 0 && j.Level != health.Good {
		now.Bad = was.Bad
	}
	if j.Level == health.Unknown && was.Level.Rank() > j.Level.Rank() {
		now.Level = was.Level
	}
	return now
}

func (h heard) same(was heard) bool {
	return h.State == was.State && h.Level == was.Level && maps.Equal(h.Bad, was.Bad)
}

// news are the states that are to be told: that of the job, if it is another or
// worse than it was, and those that more datasets are in.
func (h heard) news(was heard) (all []health.State) {
	if h.State != was.State || h.Level.Rank() > was.Level.Rank() {
		all = append(all, h.State)
	}
	for _, level := range []health.Level{health.Warning, health.Critical, health.Unknown} {
		for _, s := range []health.State{health.Late, health.Failed, health.NotOffered, health.Never} {
			if k := kind(health.Dataset{State: s, Level: level}); h.Bad[k] > was.Bad[k] {
				all = append(all, s)
			}
		}
	}
	return slices.Compact(all)
}
