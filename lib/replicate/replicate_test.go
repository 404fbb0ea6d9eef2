package replicate

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/plan"
	"github.com/zrepl-tools/zrepl-tools/lib/progress"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// host is a ZFS in memory: what it has, and what is held under one tag.
type host struct {
	t        *testing.T
	mu       sync.Mutex
	rng      *rand.Rand
	datasets map[string]*set
	txg      uint64
	trouble  float64 // how often a call fails
	calls    int
	other    *host // a receiver's sender
}

type set struct {
	versions    []dataset.Version
	held        map[string]bool
	placeholder bool
}

func newHost(t *testing.T, seed uint64) *host {
	return &host{t: t, rng: rand.New(rand.NewPCG(seed, 1)), datasets: map[string]*set{}}
}

func (h *host) add(ds string) { h.datasets[ds] = &set{held: map[string]bool{}} }

func (h *host) snapshot(ds, name string) {
	h.txg++
	v := dataset.Version{Kind: dataset.Snapshot, Name: name, GUID: dataset.GUID(h.rng.Uint64() | 1), CreateTXG: h.txg}
	h.datasets[ds].versions = append(h.datasets[ds].versions, v)
}

// fault is a lost link, now and then.
func (h *host) fault() error {
	h.calls++
	if h.rng.Float64() < h.trouble {
		return &transfer.LinkError{Err: errors.New("the link is gone")}
	}
	return nil
}

func (h *host) List(_ context.Context, in transfer.ListRequest) ([]transfer.Dataset, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.fault(); err != nil {
		return nil, err
	}
	out := []transfer.Dataset{{Name: "pool", Above: true}}
	for name, s := range h.datasets {
		d := transfer.Dataset{Name: name, Versions: slices.Clone(s.versions), Placeholder: s.placeholder}
		for held := range s.held {
			if in.Thorough {
				d.Held.Add(held)
			}
		}
		out = append(out, d)
	}
	slices.SortFunc(out, func(a, b transfer.Dataset) int { return cmpString(a.Name, b.Name) })
	return out, nil
}

func cmpString(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func (h *host) find(ds, name string) (dataset.Version, bool) {
	s := h.datasets[ds]
	if s == nil {
		return dataset.Version{}, false
	}
	i := slices.IndexFunc(s.versions, func(v dataset.Version) bool { return v.Name == name })
	if i < 0 {
		return dataset.Version{}, false
	}
	return s.versions[i], true
}

func (h *host) Protect(_ context.Context, in transfer.Holds) (transfer.Problems, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.fault(); err != nil {
		return nil, err
	}
	bad := transfer.Problems{}
	for _, s := range in.Hold {
		if v, ok := h.find(s.Dataset, s.Name); !ok || v.GUID != s.GUID {
			bad[s.Dataset] = transfer.Problem{Text: "not there"}
			continue
		}
		h.datasets[s.Dataset].held[s.Name] = true
	}
	if err := h.fault(); err != nil { // between the new and the old
		return nil, err
	}
	for _, s := range in.Past {
		delete(h.datasets[s.Dataset].held, s.Name)
	}
	for _, s := range in.Release {
		if bad[s.Dataset].Err() == nil {
			delete(h.datasets[s.Dataset].held, s.Name)
		}
	}
	return bad, nil
}

func (h *host) Held(_ context.Context, in []transfer.Snap) (out []transfer.Snap, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range in {
		if v, ok := h.find(s.Dataset, s.Name); ok && v.GUID == s.GUID && h.datasets[s.Dataset].held[s.Name] {
			out = append(out, s)
		}
	}
	return out, h.fault()
}

func (h *host) Deferred(context.Context, []transfer.Snap) ([]transfer.Snap, error) { return nil, nil }

func (h *host) Send(_ context.Context, in transfer.SendRequest) (*transfer.Stream, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.fault(); err != nil {
		return nil, err
	}
	if !h.datasets[in.Dataset].held[in.To.Name] {
		h.t.Errorf("%s@%s is sent and not held", in.Dataset, in.To.Name)
	}
	return &transfer.Stream{SendReply: transfer.SendReply{From: in.From.GUID, To: in.To.GUID, Name: in.To.Name}, Args: []string{in.Dataset}}, nil
}

func (h *host) Receive(_ context.Context, in transfer.ReceiveRequest, stream *transfer.Stream, _ func(uint64)) (transfer.Received, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.fault(); err != nil {
		return transfer.Received{}, err
	}
	from := h.other.datasets[stream.Args[0]]
	s := h.datasets[in.Dataset]
	if parent := dataset.Parent(in.Dataset); parent != "pool" && h.datasets[parent] == nil {
		h.t.Errorf("%s is received before %s is there", in.Dataset, parent)
	}
	if in.From == 0 {
		if s != nil && !in.Over {
			return transfer.Received{}, fmt.Errorf("%s exists", in.Dataset)
		}
		s = &set{held: map[string]bool{}}
		h.datasets[in.Dataset] = s
	}
	at := func(g dataset.GUID) int {
		return slices.IndexFunc(from.versions, func(v dataset.Version) bool { return v.GUID == g })
	}
	first, last := at(in.From)+1, at(in.To)
	if len(in.Via) == 0 {
		first = last
	}
	if in.From != 0 && s.versions[len(s.versions)-1].GUID != in.From {
		return transfer.Received{}, fmt.Errorf("%s: not onto its newest snapshot", in.Dataset)
	}
	for _, v := range from.versions[first : last+1] {
		h.txg++
		v.CreateTXG = h.txg
		s.versions = append(s.versions, v)
		if len(in.Via) > 0 && h.rng.Float64() < h.trouble/4 {
			return transfer.Received{}, &transfer.LinkError{Err: errors.New("cut between two")}
		}
	}
	return transfer.Received{}, h.fault() // complete, and nobody knows
}

func (h *host) Since(context.Context, []transfer.Snap) (map[string]uint64, error) { return nil, nil }
func (h *host) Takes(context.Context, struct{}) (transfer.Takes, error) {
	return transfer.Takes{Properties: true}, nil
}
func (h *host) Apply(context.Context, []transfer.Settings) (transfer.Applied, error) {
	return transfer.Applied{}, nil
}

func (h *host) SetAside(context.Context, transfer.Aside) (transfer.Name, error) {
	return transfer.Name{}, errors.New("no copy of a host without names is set aside")
}

func (h *host) Rename(context.Context, transfer.Rename) error {
	h.t.Error("asked to rename a copy, and does not say that it does")
	return nil
}

func (h *host) Abort(context.Context, transfer.Name) error { return nil }

func (h *host) Placeholder(_ context.Context, in transfer.Placeholder) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.fault(); err != nil {
		return err
	}
	if h.datasets[in.Dataset] == nil {
		h.add(in.Dataset)
		h.datasets[in.Dataset].placeholder = true
	}
	return nil
}

func (h *host) Targets(_ context.Context, sources []string) (map[string]string, error) {
	out := map[string]string{}
	for _, s := range sources {
		out[s] = "pool/to/" + s
	}
	return out, nil
}

// common is the newest version that both sides have and hold.
func common(from, to *set) dataset.GUID {
	for i := len(to.versions) - 1; i >= 0; i-- {
		v := to.versions[i]
		for _, s := range from.versions {
			if s.GUID == v.GUID && from.held[s.Name] && to.held[v.Name] {
				return v.GUID
			}
		}
	}
	return 0
}

// TestConverges lets links fail at random. Whenever a run ends, what both
// sides held in common before, or something newer, is held on both; and a run
// that says it did everything, with or without faults, ends with everything
// there and one hold on each side.
func TestConverges(t *testing.T) {
	for seed := range uint64(150) {
		from, to := newHost(t, seed), newHost(t, seed+1000)
		to.other = from
		names := []string{"a", "a/b", "a/b/c", "a/d", "e"}
		for _, n := range names {
			from.add(n)
			from.snapshot(n, "s0")
		}
		run := func(trouble float64) error {
			from.trouble, to.trouble = trouble, trouble
			j := &Job{Sender: sender{from}, Receiver: to, Parallel: 1 + int(seed%4), Thorough: true, Retries: 2,
				Delay: time.Microsecond, Policy: plan.Policy{Merge: seed%2 == 0}, Tracker: &progress.Tracker{}}
			return j.Run(t.Context())
		}
		complete := func() {
			t.Helper()
			for _, name := range names {
				s, r := from.datasets[name], to.datasets["pool/to/"+name]
				last := s.versions[len(s.versions)-1]
				if g := common(s, r); g != last.GUID || len(s.held) != 1 || len(r.held) != 1 {
					t.Fatalf("seed %d: %s: held %v and %v, newest %v", seed, name, s.held, r.held, last)
				}
			}
		}
		for n := range 6 {
			had := map[string]dataset.GUID{}
			for _, name := range names {
				if s := to.datasets["pool/to/"+name]; s != nil {
					had[name] = common(from.datasets[name], s)
				}
			}
			if run(0.15) == nil {
				complete()
			}
			for name, g := range had {
				if now := common(from.datasets[name], to.datasets["pool/to/"+name]); g != 0 && now == 0 {
					t.Fatalf("seed %d, run %d: nothing of %s is held on both sides any more", seed, n, name)
				}
			}
			for _, name := range names {
				from.snapshot(name, fmt.Sprintf("s%d", n+1))
			}
		}
		if err := run(0); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		complete()
	}
}

// sender hides what a host can do as a receiver.
type sender struct{ h *host }

func (s sender) List(ctx context.Context, in transfer.ListRequest) ([]transfer.Dataset, error) {
	list, err := s.h.List(ctx, in)
	return slices.DeleteFunc(list, func(d transfer.Dataset) bool { return d.Above }), err
}
func (s sender) Send(ctx context.Context, in transfer.SendRequest) (*transfer.Stream, error) {
	return s.h.Send(ctx, in)
}
func (s sender) Protect(ctx context.Context, in transfer.Holds) (transfer.Problems, error) {
	return s.h.Protect(ctx, in)
}
func (s sender) Held(ctx context.Context, in []transfer.Snap) ([]transfer.Snap, error) {
	return s.h.Held(ctx, in)
}
func (s sender) Sizes(_ context.Context, in []transfer.SendRequest) ([]uint64, error) {
	return make([]uint64, len(in)), nil
}
func (s sender) Size(context.Context, transfer.SendRequest) (uint64, error) { return 0, nil }
func (s sender) Strays(context.Context, transfer.StraysRequest) (transfer.Strays, error) {
	return transfer.Strays{}, nil
}
func (s sender) Deferred(ctx context.Context, in []transfer.Snap) ([]transfer.Snap, error) {
	return s.h.Deferred(ctx, in)
}
func (s sender) Uses(context.Context, transfer.UsesRequest) (map[string]transfer.Uses, error) {
	s.h.t.Error("asked what streams need, and the receiver lacks nothing")
	return nil, nil
}
