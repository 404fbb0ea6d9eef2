package prune

import (
	"context"
	"errors"

	"github.com/zrepl-tools/zrepl-tools/lib/fault"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
)

// Events report what became of each snapshot, by its full name. Each may
// be nil. An error of Gone ends the destroying.
type Events struct {
	Gone func(snapshot string) error
	Left func(snapshot string, err error)
	// Kept reports a snapshot that is held or has clones, and became so only after it was
	// listed, or that this host's own verify reads. It is kept, and this is not a failure.
	Kept func(snapshot, why string)
	// Reading returns the snapshots that this host's own verify reads at the moment, and
	// did not begin to read too long ago.
	Reading func() map[string]bool
	// Warn reports what a person should know about a dataset.
	Warn func(text string)
}

// KeptVerify is why Kept keeps a snapshot that verify reads.
const KeptVerify = "verify"

// Destroy destroys snapshots of one dataset in batches of one command each.
// Those that a batch fails for are left with ZFS's reason, and the others are
// tried again without them. What is gone already from a dataset that is there
// counts as destroyed, and what turns out to be held or cloned, or is read by
// verify, is kept. It
// returns how many are destroyed and how many are
// left; err is only for what ends the work, such as a cancelled ctx.
func Destroy(ctx context.Context, z *zfs.ZFS, ds string, shorts []string, ev Events) (gone, left int, err error) {
	d := &destroyer{z: z, ds: ds, ev: ev}
	if ev.Reading != nil {
		d.reading = ev.Reading()
	}
	for len(shorts) > 0 && err == nil {
		n := zfs.Batch(ds, shorts)
		err = d.batch(ctx, shorts[:n])
		shorts = shorts[n:]
	}
	if len(d.used) > 0 && ctx.Err() == nil {
		if again := d.settle(ctx); err == nil {
			err = again
		}
	}
	return d.gone, d.left, err
}

type destroyer struct {
	z          *zfs.ZFS
	ds         string
	ev         Events
	used       []refused       // to be looked at again when all is done
	reading    map[string]bool // by verify, before anything was destroyed
	gone, left int
}

// refused is a snapshot that ZFS says is in use.
type refused struct {
	short  string
	reason error
}

func (d *destroyer) batch(ctx context.Context, shorts []string) error {
	if err := ctx.Err(); err != nil || len(shorts) == 0 {
		return err
	}
	err := d.z.DestroySnapshots(ctx, d.ds, shorts)
	switch {
	case err == nil:
		return d.destroyed(shorts)
	case ctx.Err() != nil:
		return ctx.Err()
	}
	if reasons := zfs.Refused(err, d.ds, shorts); len(reasons) > 0 {
		return d.without(ctx, shorts, reasons)
	}
	switch {
	case zfs.NoneThere(err):
		return d.destroyed(shorts)
	case len(shorts) == 1, errors.Is(err, fault.Denied), // which holds for the whole dataset
		zfs.NotExist(err): // it was renamed, or its pool exported, or it is gone, too
		for _, short := range shorts {
			d.leave(short, err)
		}
		return nil
	}
	half := len(shorts) / 2
	if err := d.batch(ctx, shorts[:half]); err != nil {
		return err
	}
	return d.batch(ctx, shorts[half:])
}

// without leaves those that there is a reason for and tries the rest again.
func (d *destroyer) without(ctx context.Context, shorts []string, reasons map[string]error) error {
	var rest, gone []string
	for _, short := range shorts {
		reason, blamed := reasons[short]
		switch {
		case !blamed:
			rest = append(rest, short)
		case errors.Is(reason, fault.Gone):
			gone = append(gone, short)
		case errors.Is(reason, fault.Busy):
			d.used = append(d.used, refused{short, reason})
		default:
			d.leave(short, reason)
		}
	}
	if err := d.destroyed(gone); err != nil {
		return err
	}
	return d.batch(ctx, rest)
}

// settle finds out what became of snapshots that are in use: somebody may have
// put a hold on one, made a clone of it, or destroyed it, since it was listed.
func (d *destroyer) settle(ctx context.Context) error {
	var names []string
	for _, r := range d.used {
		names = append(names, d.ds+"@"+r.short)
	}
	found, err := Uses(ctx, d.z, names)
	reading := d.reading
	if d.ev.Reading != nil {
		reading = d.ev.Reading()
	}
	var gone []string
	for i, r := range d.used {
		use, there := found[names[i]]
		why := use.why()
		if why == "" && (d.reading[names[i]] || reading[names[i]]) {
			why = KeptVerify
		}
		switch {
		case err == nil && !there:
			gone = append(gone, r.short)
		case why != "" && d.ev.Kept != nil:
			d.ev.Kept(names[i], why)
		default:
			d.leave(r.short, r.reason)
		}
	}
	return d.destroyed(gone)
}

func (d *destroyer) destroyed(shorts []string) error {
	d.gone += len(shorts)
	for _, short := range shorts {
		if d.ev.Gone != nil {
			if err := d.ev.Gone(d.ds + "@" + short); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *destroyer) leave(short string, err error) {
	d.left++
	if d.ev.Left != nil {
		d.ev.Left(d.ds+"@"+short, err)
	}
}
