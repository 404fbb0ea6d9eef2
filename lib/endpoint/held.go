package endpoint

import (
	"context"
	"slices"

	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
)

// Held returns those of snaps that bear the client's hold. It costs one
// command for as many as fit into one.
func (s *Sender) Held(ctx context.Context, snaps []transfer.Snap) ([]transfer.Snap, error) {
	for _, snap := range snaps {
		if err := allowed(s.Datasets, snap.Dataset); err != nil {
			return nil, err
		}
	}
	return held(ctx, s.ZFS, s.Tag, snaps)
}

// Held returns those of snaps that bear the job's hold. It costs one command
// for as many as fit into one.
func (r *Receiver) Held(ctx context.Context, snaps []transfer.Snap) ([]transfer.Snap, error) {
	for _, snap := range snaps {
		if err := r.allowed(snap.Dataset); err != nil {
			return nil, err
		}
	}
	return held(ctx, r.ZFS, r.Tag, snaps)
}

// held asks by name. A name stands for its guid here: whoever acts on a
// snapshot that is not held has its guid looked up.
func held(ctx context.Context, z *zfs.ZFS, tag string, snaps []transfer.Snap) ([]transfer.Snap, error) {
	tags, err := z.Holds(ctx, names(snaps, nil))
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(snaps), func(s transfer.Snap) bool { return !slices.Contains(tags[s.Full()], tag) }), nil
}
