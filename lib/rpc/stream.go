package rpc

import (
	"context"
	"iter"
)

// Stream calls a function that replies with lines and gives them one by one.
// The call is made when the sequence is ranged over, once; the connection is
// busy until that ends, and closed where it ends early.
func Stream[T any](ctx context.Context, c Client, name string, in any) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var lines iter.Seq2[T, error]
		if err := c.Call(ctx, name, in, &lines); err != nil {
			var none T
			yield(none, err)
			return
		}
		lines(yield)
	}
}
