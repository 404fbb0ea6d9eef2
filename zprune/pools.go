package main

import (
	"bytes"
	"context"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/cli"
	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
)

// part is the work on the arguments of one pool. A pool that fails, or whose
// disks do not answer, holds up no other.
type part struct {
	pruner
	args      []string
	out, errs bytes.Buffer
	over      chan error
}

// patience is how long a pool that does not answer keeps the others waiting.
const patience = 5 * time.Second

// pools judges what zfs lists, each pool by a list of its own.
func (p *pruner) pools(ctx context.Context, args []string) error {
	pools := dataset.ByPool(args)
	if len(pools) == 1 {
		return p.datasets(ctx, args)
	}
	var parts []*part
	for _, args := range pools {
		one := &part{pruner: *p, args: args, over: make(chan error, 1)}
		one.pruner.out, one.pruner.errs = newOutput(&one.out), cli.NewOut(&one.errs)
		one.pruner.out.end = p.out.end
		go func() { one.over <- one.datasets(ctx, one.args) }()
		parts = append(parts, one)
	}
	late := p.collect(ctx, parts, time.After(patience))
	if len(late) > 0 && p.destroy && p.max == 0 {
		if err := p.execute(ctx); err != nil {
			return err
		}
		p.waiting = nil
	}
	p.collect(ctx, late, nil)
	return ctx.Err()
}

// collect takes over what the parts have found, in their order, and returns
// those that are not ready in time.
func (p *pruner) collect(ctx context.Context, parts []*part, timeout <-chan time.Time) (late []*part) {
	over := false
	for _, one := range parts {
		var err error
		select {
		case err = <-one.over:
		default:
			if over {
				late = append(late, one)
				continue
			}
			select {
			case err = <-one.over:
			case <-timeout:
				over = true
				late = append(late, one)
				continue
			}
		}
		if ctx.Err() == nil {
			p.take(one, err)
		}
	}
	return late
}

func (p *pruner) take(one *part, err error) {
	one.pruner.out.Flush()
	p.out.Write(one.out.Bytes())
	p.errs.Write(one.errs.Bytes())
	if p.bad = p.bad || one.bad; err != nil {
		p.tell(err)
		return // nothing is destroyed where not all was read
	}
	p.waiting = append(p.waiting, one.waiting...)
	p.total += one.total
}
