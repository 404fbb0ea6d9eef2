package main

import (
	"context"
	"fmt"
	"math"

	"github.com/zrepl-tools/zrepl-tools/lib/child"
	"github.com/zrepl-tools/zrepl-tools/lib/frame"
)

// all passes a stream to each command that it is given, until one fails. The
// commands share guards: those of one stream have ended when the next begins.
func (o *options) all(ctx context.Context) error {
	inputs := child.NewInputs(math.MaxInt, true)
	defer inputs.Close()
	return frame.Each(ctx, o.each.File, func(j frame.Job) error {
		said := &child.Tail{}
		one := &options{stall: o.stall, packing: o.packing, shared: o.shared, progressFD: o.progressFD, statusFD: o.statusFD,
			in: o.in, out: o.out, stderr: said, inputs: inputs, said: said}
		for _, words := range j.Expect {
			if err := one.expect.Set(words); err != nil {
				return fmt.Errorf("cannot read what is expected: %w", err)
			}
		}
		return one.one(ctx, j.Command)
	})
}
