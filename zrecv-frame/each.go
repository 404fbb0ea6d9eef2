package main

import (
	"context"

	"github.com/zrepl-tools/zrepl-tools/lib/frame"
	"github.com/zrepl-tools/zrepl-tools/lib/framer"
)

// all passes a stream to each command that it is given, until one fails.
func (o *options) all(ctx context.Context) error {
	return o.All(ctx, func(next *framer.Stream, j frame.Job) error {
		one := &options{Stream: next, stall: o.stall, packing: o.packing}
		return one.one(ctx, j.Command)
	})
}
