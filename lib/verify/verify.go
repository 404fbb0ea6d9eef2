// Package verify compares copies with their sources by what both ends say of
// their own snapshots.
//
// It promises that two snapshots are called the same only if both ends told the
// same digest of zdigest(5), and that nothing which an end says makes it read or
// keep more than a bounded amount. It cannot know whether an end computed what
// it says. It changes nothing and does not know zfs.
package verify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/digest"
	"github.com/zrepl-tools/zrepl-tools/lib/fault"
	"github.com/zrepl-tools/zrepl-tools/lib/plan"
	"github.com/zrepl-tools/zrepl-tools/lib/replicate"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// Digester is an end that computes digests of its snapshots. Its methods are
// called from several goroutines.
type Digester interface {
	Digest(context.Context, transfer.DigestRequest) (transfer.Digest, error)
}

// Outcome is what came of a comparison.
type Outcome string

// The outcomes.
const (
	Same    Outcome = "ok"
	Differs Outcome = "differs"
	Cannot  Outcome = "cannot"  // it could not be found out
	Skipped Outcome = "skipped" // there is nothing to compare
)

// Bad reports whether a person has to look.
func (o Outcome) Bad() bool { return o == Differs || o == Cannot }

// MaxNamed is how many objects of a difference are named.
const MaxNamed = 20

// maxGroups is how many groups of objects are asked about after a difference.
const maxGroups = 64

// Result is what came of comparing one snapshot of a dataset.
type Result struct {
	Source   string       `json:"source"`
	Target   string       `json:"target"`
	Snapshot string       `json:"snapshot,omitempty"` // on the source
	GUID     dataset.GUID `json:"guid,omitempty,string"`
	Copy     string       `json:"copy,omitempty"` // the same snapshot's name on the target
	TXG      uint64       `json:"-"`              // of the target's
	Outcome  Outcome      `json:"outcome"`
	Unread   bool         `json:"-"` // one of the two could not be read
	Why      string       `json:"why,omitempty"`
	Raw      bool         `json:"raw,omitempty"`
	Digest   string       `json:"digest,omitempty"` // of the source
	Objects  uint64       `json:"objects,omitempty"`
	Bytes    uint64       `json:"bytes,omitempty"` // hashed on the source
	// Differ are objects that differ, or that one side lacks; More: others do, too.
	Differ []uint64 `json:"differ,omitempty"`
	More   bool     `json:"more,omitempty"`
}

// Ends are the two sides of a job.
type Ends struct{ Sender, Receiver Digester }

// Compare compares one snapshot of a pair. The error is one of the link, or of
// ctx, or says that an end cannot compute digests at all.
func (e Ends) Compare(ctx context.Context, p replicate.Pair, base plan.Base) (Result, error) {
	r := Result{Source: p.Source, Target: p.Target, Snapshot: base.Sender.Name, GUID: base.Sender.GUID, Copy: base.Receiver.Name,
		TXG: base.Receiver.CreateTXG, Raw: p.Raw}
	both, err := e.ask(ctx, p, base, nil)
	if err != nil {
		return r.failed(ctx, err)
	}
	from, to := both[0], both[1]
	r.Digest, r.Objects, r.Bytes = from.Sum, from.Objects, from.Bytes
	switch {
	case from.BigEndian != to.BigEndian && from.Sum != to.Sum:
		r.Outcome, r.Why = Cannot, "the hosts have different byte orders"
		return r, nil
	case from.Sum == to.Sum:
		r.Outcome = Same
		return r, nil
	}
	r.Outcome = Differs
	groups := digest.DifferentGroups(from.Groups, to.Groups, maxGroups+1)
	r.More = len(groups) > maxGroups
	if groups = groups[:min(len(groups), maxGroups)]; len(groups) > 0 {
		both, err = e.ask(ctx, p, base, groups)
		if err != nil && ctx.Err() != nil {
			return r, err
		}
		if err != nil {
			r.Why = "the objects could not be found: " + err.Error()
			return r, nil
		}
		r.name(both)
	}
	r.Why = r.words(from, to)
	return r, nil
}

// ask asks both ends at the same time. The failure of one ends the other.
func (e Ends) ask(parent context.Context, p replicate.Pair, base plan.Base, groups []int) (both [2]transfer.Digest, err error) {
	// Only a failure cancels it: a connection that was made under it serves later
	// calls, too.
	ctx, cancel := context.WithCancel(parent)
	defer func() {
		if err != nil {
			cancel()
		}
	}()
	var wg sync.WaitGroup
	var first sync.Once
	for i, one := range []struct {
		end Digester
		in  transfer.DigestRequest
	}{
		{e.Sender, transfer.DigestRequest{Dataset: p.Source, Name: base.Sender.Name, GUID: base.Sender.GUID}},
		{e.Receiver, transfer.DigestRequest{Dataset: p.Target, Name: base.Receiver.Name, GUID: base.Receiver.GUID}},
	} {
		one.in.Version, one.in.Raw, one.in.Groups = digest.Version, p.Raw, groups
		wg.Go(func() {
			var wrong error
			if both[i], wrong = one.end.Digest(ctx, one.in); wrong != nil {
				first.Do(func() { err = &endError{i, wrong}; cancel() })
			}
		})
	}
	wg.Wait()
	return both, cmp.Or(parent.Err(), err)
}

// endError says which end failed.
type endError struct {
	end int
	err error
}

func (e *endError) Error() string {
	return fmt.Sprintf("cannot read the %s: %v", [...]string{"source", "copy"}[e.end], e.err)
}
func (e *endError) Unwrap() error { return e.err }

// Unable is an error of an end that says that it computes no digests at all.
type Unable interface{ Unable() bool }

// failed judges an error of an end: one of the link ends the whole run.
func (r Result) failed(ctx context.Context, err error) (Result, error) {
	var unable Unable
	switch link := (*transfer.LinkError)(nil); {
	case ctx.Err() != nil:
		return r, err
	case errors.As(err, &link), errors.As(err, &unable) && unable.Unable():
		return r, err
	case errors.Is(err, fault.Gone):
		r.Outcome, r.Why = Skipped, "the snapshot was destroyed meanwhile: "+err.Error()
	default:
		r.Outcome, r.Unread, r.Why = Cannot, true, err.Error()
	}
	return r, nil
}

// name names the objects that differ.
func (r *Result) name(both [2]transfer.Digest) {
	r.More = r.More || both[0].More || both[1].More
	a, b := both[0].Each, both[1].Each
	for len(a) > 0 || len(b) > 0 {
		var object uint64
		switch {
		case len(b) == 0 || len(a) > 0 && a[0].Object < b[0].Object:
			if both[1].More && len(b) == 0 {
				return // it had no room
			}
			object, a = a[0].Object, a[1:]
		case len(a) == 0 || b[0].Object < a[0].Object:
			if both[0].More && len(a) == 0 {
				return
			}
			object, b = b[0].Object, b[1:]
		default:
			same := a[0].Sum == b[0].Sum
			object, a, b = a[0].Object, a[1:], b[1:]
			if same {
				continue
			}
		}
		if len(r.Differ) == MaxNamed {
			r.More = true
			return
		}
		r.Differ = append(r.Differ, object)
	}
}

// words say what differs.
func (r *Result) words(from, to transfer.Digest) string {
	switch {
	case from.Volume != to.Volume:
		return "one is a volume, and the other a filesystem"
	case len(r.Differ) == 0 && from.Objects != to.Objects:
		return fmt.Sprintf("the source has %d objects, and the copy %d", from.Objects, to.Objects)
	case len(r.Differ) == 0:
		return "the digests differ"
	}
	text := "objects differ:"
	for _, o := range r.Differ {
		text += fmt.Sprintf(" %d", o)
	}
	if r.More {
		text += " and more"
	}
	return text
}
