package main

import (
	"cmp"
	"context"
	"fmt"
	"math"

	"github.com/zrepl-tools/zrepl-tools/lib/child"
	"github.com/zrepl-tools/zrepl-tools/lib/frame"
	"github.com/zrepl-tools/zrepl-tools/lib/pack"
)

// all sends a stream for each command that it is given, until one fails. The
// commands share guards: they run one after another.
func (o *options) all(ctx context.Context, sum frame.Checksum) error {
	inputs := child.NewInputs(math.MaxInt, true)
	defer inputs.Close()
	return frame.Each(ctx, o.each.File, func(j frame.Job) error {
		said := &child.Tail{}
		one := &options{heartbeat: o.heartbeat, rate: o.rate, shared: o.shared, progressFD: o.progressFD, statusFD: o.statusFD,
			in: o.in, out: o.out, stderr: said, inputs: inputs, said: said}
		var err error
		if one.method, err = pack.Parse(cmp.Or(j.Compress, "off")); err != nil {
			return fmt.Errorf("cannot read how to compress: %w", err)
		}
		for _, words := range j.Expect {
			if err := one.expect.Set(words); err != nil {
				return fmt.Errorf("cannot read what is expected: %w", err)
			}
		}
		return one.one(ctx, sum, j.Command)
	})
}
