package main

import (
	"cmp"
	"context"
	"fmt"

	"github.com/zrepl-tools/zrepl-tools/lib/frame"
	"github.com/zrepl-tools/zrepl-tools/lib/framer"
	"github.com/zrepl-tools/zrepl-tools/lib/pack"
)

// all sends a stream for each command that it is given, until one fails.
func (o *options) all(ctx context.Context, sum frame.Checksum) error {
	return o.All(ctx, func(next *framer.Stream, j frame.Job) error {
		method, err := pack.Parse(cmp.Or(j.Compress, "off"))
		if err != nil {
			return fmt.Errorf("cannot read how to compress: %w", err)
		}
		one := &options{Stream: next, method: method, heartbeat: o.heartbeat, rate: o.rate}
		return one.one(ctx, sum, j.Command)
	})
}
