package endpoint

import (
	"context"
	"errors"
	"fmt"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
)

// Rename gives a copy another name below the job's roots, with all below it: its
// source was renamed. It takes no copy that is in use or that is not the job's,
// and nothing that stands at the new name is touched: zfs rename refuses that. It
// costs five commands.
func (r *Receiver) Rename(ctx context.Context, in transfer.Rename) error {
	from, to := in.From.Dataset, in.To
	if err := r.mayRename(from, to); err != nil {
		return fmt.Errorf("cannot rename %q to %q: %w", from, to, err)
	}
	if err := r.stillCopy(ctx, in.From); err != nil {
		return fmt.Errorf("cannot rename %q to %q: %w", from, to, err)
	}
	if err := r.checkLimits(ctx, to, transferred{}); err != nil { // a quota is one of the place
		return fmt.Errorf("cannot rename %q to %q: %w", from, to, err)
	}
	return r.ZFS.Rename(ctx, from, to)
}

// mayRename judges the names.
func (r *Receiver) mayRename(from, to string) error {
	if r.Renames == nil {
		return errors.New("the receiver's configuration does not allow it")
	}
	for _, name := range []string{from, to} {
		if err := r.receives(name); err != nil {
			return err
		}
	}
	switch {
	case dataset.Pool(from) != dataset.Pool(to):
		return errors.New("they are in different pools")
	case dataset.Within(from, to), dataset.Within(to, from):
		return errors.New("one is below the other")
	}
	return r.Renames(from)
}

// stillCopy refuses what somebody has put to use since it was received, and what
// does not have the job's hold.
func (r *Receiver) stillCopy(ctx context.Context, newest transfer.Snap) error {
	if err := dataset.CheckShort(newest.Name); err != nil {
		return fmt.Errorf("bad snapshot name: %w", err)
	}
	list, err := r.ZFS.Datasets(ctx, []string{newest.Dataset}, true, append([]string{"mounted"}, receiverProperties...)...)
	if err != nil {
		return err
	}
	for _, d := range list {
		t := received(d)
		switch {
		case d.Properties["mounted"].Value == "yes":
			return fmt.Errorf("%q is mounted", d.Name)
		case !t.Copy && !t.Placeholder:
			return fmt.Errorf("%q is no copy that zreplctl made", d.Name)
		}
	}
	guids, err := r.ZFS.GUIDs(ctx, []string{newest.Full()})
	if err := zfs.Present(err); err != nil {
		return err
	}
	ours, err := r.Held(ctx, []transfer.Snap{newest})
	if err != nil {
		return err
	}
	if guids[newest.Full()] != newest.GUID || len(ours) == 0 {
		return fmt.Errorf("%q does not have the job's hold on its snapshot of guid %s", newest.Full(), newest.GUID)
	}
	return nil
}
