package main

import (
	"context"
	"errors"
	"os"
	"slices"
	"sync"

	"github.com/zrepl-tools/zrepl-tools/lib/child"
	"github.com/zrepl-tools/zrepl-tools/lib/frame"
	"github.com/zrepl-tools/zrepl-tools/lib/framer"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs/stream"
)

// startAhead is how many runs wait for their input beside the one that works.
// One is enough on a machine with a processor to spare; more keep a busy one
// from making the stream wait.
const startAhead = 2

// runs starts the command, once for each part of the stream. The runs of the
// next parts are started while the current one ends, so that only its work
// takes time: they wait for their input, and get none if the stream is refused.
// A zfs receive that has all of its input waits for the disks. One that reads
// needs the processor, which starting a program would take from it.
// Used runs are waited for meanwhile, too.
type runs struct {
	o       *options
	ctx     context.Context
	args    []string
	inputs  *child.Inputs
	ahead   chan part     // brings the runs in order; closed after the last
	fed     chan struct{} // gets a value when a run has all of its input; has room for all
	stop    chan struct{} // closed when no more runs are needed
	waiting sync.WaitGroup
	used    *child.Process // of the current part
}

// part is one run of the command, and our end of its stdin.
type part struct {
	*child.Process
	in  *os.File
	err error
}

// newRuns starts the first.
func (o *options) newRuns(ctx context.Context, args []string) *runs {
	parts := o.Expect.To
	if len(parts) == 0 {
		parts = []stream.Snapshot{{}}
	}
	rs := &runs{o: o, ctx: ctx, args: args, inputs: o.Inputs,
		ahead: make(chan part, startAhead+1), fed: make(chan struct{}, len(parts)), stop: make(chan struct{})}
	if rs.inputs == nil {
		rs.inputs = child.NewInputs(len(parts), !o.TTY)
	}
	go rs.startAll(parts)
	return rs
}

// startAll starts the first runs, and one more whenever one has all of its
// input.
func (rs *runs) startAll(parts []stream.Snapshot) {
	defer close(rs.ahead)
	if rs.o.Inputs == nil {
		defer rs.inputs.Close()
	}
	for i, of := range parts {
		if i > startAhead {
			select {
			case <-rs.fed:
			case <-rs.stop:
			}
		}
		select {
		case <-rs.stop:
			return
		default:
		}
		p := rs.start(of)
		rs.ahead <- p
		if p.err != nil {
			return
		}
	}
}

// next returns the run of the next part. The run of the part before has ended.
func (rs *runs) next() (*os.File, frame.Command, error) {
	p, ok := <-rs.ahead
	switch {
	case !ok:
		return nil, nil, errors.New("there is no command for more parts of the stream")
	case p.err != nil:
		return nil, nil, p.err
	}
	rs.reap()
	rs.used = p.Process
	return p.in, command{p.Process, rs}, nil
}

// reap waits for a run that has ended, without holding up the next.
func (rs *runs) reap() {
	if used := rs.used; used != nil {
		rs.waiting.Go(func() { used.Wait() })
	}
	rs.used = nil
}

// start starts a run.
func (rs *runs) start(of stream.Snapshot) part {
	args := slices.Clone(rs.args)
	if of.Name != "" {
		args[len(args)-1] += "@" + of.Name
	}
	in, err := rs.inputs.Next()
	if err != nil {
		return part{err: err}
	}
	p, err := child.Start(context.WithoutCancel(rs.ctx), child.Cmd{
		Args: args, Input: in, Stdout: rs.o.Out, Stderr: &child.Tail{}, StderrCopy: rs.o.Stderr,
		Group: !rs.o.TTY,
	})
	if err != nil {
		in.W.Close()
	}
	return part{p, in.W, err}
}

// end ends the runs that were started and got nothing, and waits for all.
func (rs *runs) end() {
	close(rs.stop)
	for p := range rs.ahead {
		if p.err == nil {
			p.Kill()
			p.in.Close()
			p.Wait()
		}
	}
	rs.reap()
	rs.waiting.Wait()
}

// command is a run as a receiver sees it.
type command struct {
	*child.Process
	runs *runs
}

// Finish has another run started, too.
func (c command) Finish() {
	c.Process.Finish()
	c.runs.fed <- struct{}{}
}

// Kill passes a signal that stopped us on, before it kills.
func (c command) Kill() { framer.Kill(c.runs.ctx, c.Process) }
