package endpoint

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/fault"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
)

// originOf is the snapshot that a dataset is a clone of, if the client may know it.
func (s *Sender) originOf(l *listing, d zfs.Dataset, aside asides) transfer.Snap {
	ds, kind, short := dataset.Split(d.Properties["origin"].Value)
	if kind != dataset.Snapshot || !s.Datasets.Pass(ds) || aside.above(ds) != "" {
		return transfer.Snap{}
	}
	for _, v := range l.versions[ds] {
		if v.Kind == dataset.Snapshot && v.Name == short {
			return transfer.Snap{Dataset: ds, Name: short, GUID: v.GUID}
		}
	}
	return transfer.Snap{}
}

// checkOrigin refuses a request to send a clone that starts elsewhere than at a
// snapshot of a dataset of the job. zfs send refuses one that is no clone of it.
func (s *Sender) checkOrigin(ctx context.Context, in transfer.SendRequest) error {
	switch {
	case in.Origin == "":
		return nil
	case in.Origin == in.Dataset || in.From.Kind != dataset.Snapshot || in.From.GUID == 0 || len(in.Via) > 0:
		return errors.New("a request to send a clone that does not start from a snapshot of another dataset")
	}
	return s.offers(ctx, in.Origin)
}

// checkOrigin refuses to make a clone of anything but a snapshot of one of the job's
// own copies, with the guid that the stream starts from. ZFS itself would take any
// snapshot in the pool that has this guid.
func (r *Receiver) checkOrigin(ctx context.Context, in transfer.ReceiveRequest) error {
	o := in.Origin
	switch {
	case o == (transfer.Snap{}):
		return nil
	case !r.Clones:
		return fmt.Errorf("dataset %q: the receiver's configuration takes no clones (recv: clones)", in.Dataset)
	case o.Dataset == in.Dataset || o.GUID == 0 || o.GUID != in.From || in.Over || in.Send.Raw:
		return fmt.Errorf("a request to receive %q as a clone that cannot be one", in.Dataset)
	}
	if err := r.changes(ctx, o.Dataset); err != nil {
		return err
	}
	if err := checkShort(o.Dataset, o.Name); err != nil {
		return err
	}
	l := listing{zfs: r.ZFS, roots: []string{o.Dataset}, properties: receiverProperties}
	if err := l.run(ctx); err != nil {
		return err
	}
	has := func(v dataset.Version) bool {
		return v.Kind == dataset.Snapshot && v.Name == o.Name && v.GUID == o.GUID
	}
	switch {
	case len(l.datasets) != 1 || !slices.ContainsFunc(l.versions[o.Dataset], has):
		return fault.With(fault.Gone, fmt.Errorf("no snapshot %q with guid %v is here to make a clone of", o.Full(), o.GUID))
	case !received(l.datasets[0]).Copy:
		return fmt.Errorf("%q is not a copy that this job has noted: no clone is made of it", o.Dataset)
	case encrypted(l.datasets[0]):
		return fmt.Errorf("%q is encrypted: no clone is made of it", o.Dataset)
	}
	return nil
}
