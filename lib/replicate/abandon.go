package replicate

import (
	"context"
	"fmt"
	"slices"

	"github.com/zrepl-tools/zrepl-tools/lib/clean"
	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// Left is a hold or a cursor bookmark of a job.
type Left struct {
	Receiver bool
	Name     string // of the snapshot or bookmark
}

// Abandon lets go of all that the job protects on both ends, and returns what
// that was. The datasets and snapshots stay; nothing keeps their chain
// together any more. With dry it only looks.
func (j *Job) Abandon(ctx context.Context, dry bool) ([]Left, error) {
	from, err := j.Sender.List(ctx, transfer.ListRequest{Thorough: true})
	if err != nil {
		return nil, fmt.Errorf("cannot list the sender's datasets: %w", err)
	}
	to, err := j.Receiver.List(ctx, transfer.ListRequest{Thorough: true})
	if err != nil {
		return nil, fmt.Errorf("cannot list the receiver's datasets: %w", err)
	}
	var left []Left
	var unsure error
	for _, d := range slices.Concat(from, to) {
		if d.Illegal != "" && unsure == nil {
			unsure = fmt.Errorf("cannot tell what is held of %q: an end's list cannot be true: %s", clean.Name(d.Name), d.Illegal)
		}
	}
	here := protection(from, func(name string) { left = append(left, Left{Name: name}) })
	there := protection(to, func(name string) { left = append(left, Left{Receiver: true, Name: name}) })
	strays, err := j.Sender.Strays(ctx, transfer.StraysRequest{Release: !dry})
	if err != nil {
		return left, fmt.Errorf("cannot find what is held outside the sender's rules: %w", err)
	}
	for _, name := range strays.Names {
		left = append(left, Left{Name: name})
	}
	if n := strays.Count - len(strays.Names); n > 0 {
		left = append(left, Left{Name: fmt.Sprintf("%d more, of datasets outside the sender's rules", n)})
	}
	if dry || len(here.Release)+len(here.Forget)+len(there.Release)+len(there.Forget) == 0 {
		return left, unsure
	}
	for _, end := range []struct {
		protect func(context.Context, transfer.Holds) (transfer.Problems, error)
		in      transfer.Holds
	}{{j.Sender.Protect, here}, {j.Receiver.Protect, there}} {
		bad, err := end.protect(ctx, end.in)
		if err != nil {
			return left, err
		}
		for _, problem := range bad {
			return left, problem.Err()
		}
	}
	return left, unsure
}

func protection(list []transfer.Dataset, found func(name string)) (h transfer.Holds) {
	for _, d := range list {
		for _, v := range d.Versions {
			s := transfer.Snap{Dataset: d.Name, Name: v.Name, GUID: v.GUID}
			switch {
			case v.Kind == dataset.Snapshot && d.Held.Has(v.Name):
				h.Release = append(h.Release, s)
			case v.Kind == dataset.Bookmark && (d.Marks.Has(v.Name) || d.Kept.Has(v.Name)):
				h.Forget = append(h.Forget, s)
			default:
				continue
			}
			found(v.Full(d.Name))
		}
	}
	return h
}
