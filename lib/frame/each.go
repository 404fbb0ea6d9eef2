package frame

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Job is one stream that a framer with -each moves.
type Job struct {
	Command  []string `json:"command"`            // that makes the stream, or takes it
	Expect   []string `json:"expect,omitempty"`   // words of -expect-zfs
	Compress string   `json:"compress,omitempty"` // how zsend-frame compresses it
}

// Each reads jobs from in, one JSON object a line, and calls do for one after
// the other. It ends with the input, with an error of do, or when ctx is
// cancelled.
func Each(ctx context.Context, in io.Reader, do func(Job) error) error {
	type next struct {
		job Job
		err error
	}
	jobs := make(chan next)
	go func() { // a read cannot be cancelled
		lines := json.NewDecoder(in)
		for {
			var n next
			n.err = lines.Decode(&n.job)
			select {
			case jobs <- n:
			case <-ctx.Done():
				return
			}
			if n.err != nil {
				return
			}
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case n := <-jobs:
			switch {
			case n.err == io.EOF:
				return nil
			case n.err != nil:
				return fmt.Errorf("cannot read the next command: %w", n.err)
			case len(n.job.Command) == 0:
				return errors.New("cannot read the next command: it is empty")
			}
			if err := do(n.job); err != nil {
				return err
			}
		}
	}
}
