package endpoint

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/zrepl-tools/zrepl-tools/lib/identity"
	"github.com/zrepl-tools/zrepl-tools/lib/pack"
	"github.com/zrepl-tools/zrepl-tools/lib/rpc"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// Service is what a server tells of itself and learns of its client.
//
// A client says hello first. With the name of a run it may do what its job
// offers, once Hello has let that run in; without one it may only look. A
// connection has one run.
type Service struct {
	Client string // the client's identity
	// Hello is told which job, and which run of it, the client says it belongs
	// to. An error that is a *transfer.LinkError is one for the client, too.
	Hello func(ctx context.Context, job, run string) error
	// Begin is called when a client has been let in, before the first call that
	// is not hello, and again when it begins a run; nil: there is nothing to do.
	Begin func(ctx context.Context) error
	// Place waits until a client without a run may do what takes as much of this
	// host as a run; leave is to be called after that. Nil: it always may.
	Place func(ctx context.Context) (leave func(), err error)
	// Doing is told what the client has begun, and "" when that has ended.
	Doing func(what, dataset string)
	// Moved is told how many bytes of a stream have moved, when it has ended.
	Moved func(bytes uint64)
	// Renamed is told that a copy, with all below it, has another name; nil: nobody is.
	Renamed func(from, to string)

	greeted bool
	run     string // empty: the client only looks
}

func (v *Service) register(s *rpc.Server, role string, packs pack.Method) {
	s.Greeting.Call = "hello"
	s.Handle("hello", func(ctx context.Context, in transfer.Hello) (transfer.Welcome, error) {
		if in.Protocol != transfer.Protocol {
			return transfer.Welcome{}, fmt.Errorf("client speaks protocol %d, this server %d", in.Protocol, transfer.Protocol)
		}
		if err := identity.Check(in.Run); err != nil && in.Run != "" {
			return transfer.Welcome{}, fmt.Errorf("bad run id: %w", err)
		}
		if err := identity.Check(in.Job); err != nil && in.Job != "" {
			return transfer.Welcome{}, fmt.Errorf("bad job name: %w", err)
		}
		if err := v.enter(ctx, in.Job, in.Run); err != nil {
			return transfer.Welcome{}, later(err)
		}
		w := transfer.Welcome{Protocol: transfer.Protocol, Client: v.Client, Role: role}
		if packs != "" && packs.Works() == nil {
			w.Compress = []string{pack.Zstd}
		}
		return w, nil
	})
}

// enter lets a run in, once on a connection.
func (v *Service) enter(ctx context.Context, job, run string) error {
	fresh := !v.greeted || run != "" && v.run == ""
	switch {
	case v.run != "" && run != v.run:
		return errors.New("this connection belongs to a run already: a connection has one run")
	case run != "" && v.run == "" && v.Hello != nil:
		if err := v.Hello(ctx, job, run); err != nil {
			return err
		}
	}
	v.run = run
	if fresh && v.Begin != nil {
		v.greeted = false
		if err := v.Begin(ctx); err != nil {
			return err
		}
	}
	v.greeted = true
	return nil
}

func later(err error) error {
	if link := (*transfer.LinkError)(nil); errors.As(err, &link) {
		return &rpc.RemoteError{Code: rpc.CodeLater, Message: err.Error()}
	}
	return err
}

var (
	// errNoHello: until hello has said which run a client belongs to, it
	// cannot be told from an older one.
	errNoHello = errors.New("the first call must be hello")
	errNoRun   = errors.New("a connection without a run may only look: call hello with a run first")
)

// mayLook reports why the client may not even read.
func (v *Service) mayLook() error {
	if !v.greeted {
		return errNoHello
	}
	return nil
}

// mayAct reports why the client may not send, receive or change anything:
// only a run does that, and it has the client's lock.
func (v *Service) mayAct() error {
	if err := v.mayLook(); err != nil {
		return err
	}
	if v.run == "" {
		return errNoRun
	}
	return nil
}

// after makes fn a call for those who said hello. It must change nothing.
func after[In, Out any](v *Service, fn func(context.Context, In) (Out, error)) func(context.Context, In) (Out, error) {
	return guarded(v.mayLook, fn)
}

// inRun makes fn a call for the client's run.
func inRun[In, Out any](v *Service, fn func(context.Context, In) (Out, error)) func(context.Context, In) (Out, error) {
	return guarded(v.mayAct, fn)
}

func guarded[In, Out any](may func() error, fn func(context.Context, In) (Out, error)) func(context.Context, In) (Out, error) {
	return func(ctx context.Context, in In) (out Out, err error) {
		if err := errors.Join(may(), checkCount(in)); err != nil {
			return out, err
		}
		return fn(ctx, in)
	}
}

// A client asks about perCall names at once, and a server answers maxPerCall:
// each may cost it a command.
const (
	perCall    = 10_000
	maxPerCall = 20_000
)

// checkCount bounds how many names one request holds.
func checkCount(in any) error {
	n := 0
	switch in := in.(type) {
	case transfer.ListRequest:
		n = len(in.Datasets)
	case transfer.UsesRequest:
		n = max(len(in.Datasets), len(in.Features))
	case transfer.Holds:
		n = countHolds(in)
	case transfer.Pins:
		n = len(in.Hold) + len(in.Release)
	case []transfer.Snap:
		n = len(in)
	case []string:
		n = len(in)
	}
	if n > maxPerCall {
		return fmt.Errorf("the request names %d datasets or snapshots: at most %d are allowed", n, maxPerCall)
	}
	return nil
}

func countHolds(h transfer.Holds) int {
	return len(h.Hold) + len(h.Release) + len(h.Past) + len(h.Bookmark) + len(h.Keep) + len(h.Forget) + len(h.Unmark) + len(h.Common)
}

// splitHolds cuts a request into several of about perCall names. What belongs
// to one dataset stays together: nothing of it is let go where a hold failed.
func splitHolds(all transfer.Holds) []transfer.Holds {
	if countHolds(all) <= perCall {
		return []transfer.Holds{all}
	}
	count := map[string]int{}
	var order []string
	each := func(name string) {
		if count[name]++; count[name] == 1 {
			order = append(order, name)
		}
	}
	for _, list := range snapLists(&all) {
		for _, s := range *list {
			each(s.Dataset)
		}
	}
	for _, name := range all.Unmark {
		each(name)
	}
	part, last, size := map[string]int{}, 0, 0
	for _, name := range order {
		if size > 0 && size+count[name] > perCall {
			last, size = last+1, 0
		}
		part[name] = last
		size += count[name]
	}
	parts := make([]transfer.Holds, last+1)
	for i := range parts {
		parts[i].Confirm, parts[i].Together = all.Confirm, all.Together
		to := snapLists(&parts[i])
		for k, list := range snapLists(&all) {
			*to[k] = slices.DeleteFunc(slices.Clone(*list), func(s transfer.Snap) bool { return part[s.Dataset] != i })
		}
		parts[i].Unmark = slices.DeleteFunc(slices.Clone(all.Unmark), func(name string) bool { return part[name] != i })
	}
	return parts
}

func snapLists(h *transfer.Holds) []*[]transfer.Snap {
	return []*[]transfer.Snap{&h.Hold, &h.Release, &h.Past, &h.Bookmark, &h.Keep, &h.Forget, &h.Common}
}
