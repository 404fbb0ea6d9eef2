package main

import (
	"context"
	"io"
	"strconv"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/cli"
	"github.com/zrepl-tools/zrepl-tools/lib/retention"
)

// simulated is the dataset of -simulate.
const simulated = "simulated"

// simulation prints the lines of what would be there at the end, which is now
// or the time of -now.
func (p *pruner) simulation(ctx context.Context) error {
	every, length, err := retention.ParseSimulation(p.simulate)
	if err != nil {
		return cli.Usagef("-simulate: %w", err)
	}
	end := time.Now().Unix()
	if p.now.at != nil {
		end = *p.now.at
	}
	s := retention.Simulation{Every: every, For: length, End: end, Prefix: p.prefix, Name: func(creation int64) string {
		return p.prefix + time.Unix(creation, 0).UTC().Format("20060102_150405") + "_000"
	}}
	held, err := s.Run(ctx, p.policy)
	if err != nil {
		return err
	}
	if p.timeline {
		o := retention.Options{Prefix: p.prefix}
		text := p.policy.Timeline(simulated, held, make([]retention.Verdict, len(held)), o)
		io.WriteString(p.out, text+retention.Legend) // Flush returns the error
	} else {
		for _, h := range held {
			p.out.record(simulated, "@", h.Name, "\t", strconv.FormatInt(h.Creation, 10), "\t", strconv.FormatUint(h.CreateTXG, 10))
		}
	}
	return cli.Quiet(p.out.Flush())
}
