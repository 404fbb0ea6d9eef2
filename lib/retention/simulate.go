package retention

import (
	"context"
	"fmt"
)

// MaxSteps is the largest number of snapshots that Simulate takes.
const MaxSteps = 10_000_000

// Simulation is a life of one dataset: a snapshot every so often, and the
// policy applied after each, as if space were short.
type Simulation struct {
	Every, For int64 // seconds
	End        int64 // when the last snapshot is taken, in seconds since 1970
	Name       func(creation int64) string
	Prefix     string
}

// ParseSimulation reads "every LENGTH for LENGTH".
func ParseSimulation(text string) (every, length int64, err error) {
	p := &parser{what: "simulation", text: text}
	for _, part := range []struct {
		word string
		to   *int64
	}{{"every", &every}, {"for", &length}} {
		p.spaces()
		if !p.take(part.word + " ") {
			return 0, 0, p.errorf(p.at, "expected %q, as in every 10m for 2y", part.word)
		}
		p.spaces()
		if *part.to, err = p.duration(); err != nil {
			return 0, 0, err
		}
	}
	if p.spaces(); p.at < len(text) {
		return 0, 0, p.errorf(p.at, "%q does not belong here", text[p.at:])
	}
	if every > length {
		return 0, 0, p.errorf(len(text), "not a single snapshot: every %s for %s", FormatDuration(every), FormatDuration(length))
	}
	return every, length, nil
}

// Run returns the snapshots that are there at the end, the oldest first.
func (s *Simulation) Run(ctx context.Context, p *Policy) ([]Snapshot, error) {
	steps := s.For / s.Every
	if steps > MaxSteps {
		return nil, fmt.Errorf("%d snapshots to simulate: at most %d", steps, MaxSteps)
	}
	if s.End < steps*s.Every {
		return nil, fmt.Errorf("the simulation would begin before 1970")
	}
	var held []Snapshot
	for step := range steps {
		if step%1024 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		creation := s.End - (steps-1-step)*s.Every
		held = append(held, Snapshot{Name: s.Name(creation), Creation: creation, CreateTXG: uint64(step) + 1, Replicated: true})
		verdicts := p.Apply(held, Options{Prefix: s.Prefix, Space: &Space{Free: 0, Total: 1}})
		stay := held[:0]
		for i, v := range verdicts {
			if !v.Destroy {
				stay = append(stay, held[i])
			}
		}
		held = stay
	}
	return held, nil
}
