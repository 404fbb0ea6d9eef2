package endpoint

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// Rename gives a copy another name below the job's roots, with all below it: its
// source was renamed. It takes no copy that is in use or that is not the job's,
// and nothing that stands at the new name is touched: zfs rename refuses that.
func (r *Receiver) Rename(ctx context.Context, in transfer.Rename) error {
	from, to := in.From.Dataset, in.To
	if err := r.mayRename(ctx, from, to); err != nil {
		return fmt.Errorf("cannot rename %q to %q: %w", from, to, err)
	}
	if err := r.stillCopy(ctx, in.From, to); err != nil {
		return fmt.Errorf("cannot rename %q to %q: %w", from, to, err)
	}
	if err := r.checkLimits(ctx, to, transferred{}); err != nil { // a quota is one of the place
		return fmt.Errorf("cannot rename %q to %q: %w", from, to, err)
	}
	return r.ZFS.Rename(ctx, from, to)
}

// mayRename judges the names.
func (r *Receiver) mayRename(ctx context.Context, from, to string) error {
	if r.Renames == nil {
		return errors.New("the receiver's configuration does not allow it")
	}
	for _, name := range []string{from, to} {
		if err := r.changes(ctx, name); err != nil {
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

// stillCopy refuses what somebody has put to use since it was received, what is
// another job's, and what would be stored in another way at its new name. It
// costs three commands, and more for a copy whose newest snapshots have no hold.
func (r *Receiver) stillCopy(ctx context.Context, newest transfer.Snap, to string) error {
	if err := dataset.CheckShort(newest.Name); err != nil {
		return fmt.Errorf("bad snapshot name: %w", err)
	}
	l := listing{zfs: r.ZFS, roots: []string{newest.Dataset}, recursive: true, properties: append([]string{"mounted"}, receiverProperties...)}
	if err := l.run(ctx); err != nil {
		return err
	}
	above, err := r.ZFS.Datasets(ctx, []string{dataset.Parent(to)}, false, "encryption")
	if err != nil {
		return err
	}
	sealed := len(above) == 1 && encrypted(above[0])
	var copies []string
	for _, d := range l.datasets {
		t := received(d)
		switch {
		case d.Properties["mounted"].Value == "yes":
			return fmt.Errorf("%q is mounted", d.Name)
		case t.Copy:
			copies = append(copies, d.Name)
		case !t.Placeholder && t.Partial == nil:
			return fmt.Errorf("%q is no copy that zreplctl made", d.Name)
		}
		// A new copy would be encrypted there, and a rename encrypts nothing.
		if plain := r.PlainCopies || t.Placeholder && r.PlainPlaceholders; sealed && !t.Encrypted && !plain {
			return fmt.Errorf("%q is not encrypted, and what is received below %q is", d.Name, above[0].Name)
		}
	}
	ours := func(v dataset.Version) bool { return v.Name == newest.Name && v.GUID == newest.GUID }
	if !slices.ContainsFunc(l.versions[newest.Dataset], ours) {
		return fmt.Errorf("%q does not have guid %s", newest.Full(), newest.GUID)
	}
	return r.allHeld(ctx, copies, l.versions, newest)
}

// newestFew is how many snapshots of each copy are looked at first: the hold is on
// one of the newest.
const newestFew = 8

// allHeld refuses copies of which no snapshot has the job's hold: another job
// received them. Newest has to have it itself.
func (r *Receiver) allHeld(ctx context.Context, copies []string, versions map[string][]dataset.Version, newest transfer.Snap) error {
	held := map[string]bool{}
	for _, few := range []int{newestFew, math.MaxInt} {
		ask := []transfer.Snap{newest}
		for _, name := range copies {
			all := versions[name]
			for _, v := range all[max(0, len(all)-few):] {
				if !held[name] {
					ask = append(ask, transfer.Snap{Dataset: name, Name: v.Name, GUID: v.GUID})
				}
			}
		}
		got, err := r.Held(ctx, ask)
		if err != nil {
			return err
		}
		if !slices.Contains(got, newest) {
			return fmt.Errorf("%q does not have the job's hold", newest.Full())
		}
		for _, s := range got {
			held[s.Dataset] = true
		}
		if !slices.ContainsFunc(copies, func(name string) bool { return !held[name] && len(versions[name]) > 0 }) {
			return nil
		}
	}
	i := slices.IndexFunc(copies, func(name string) bool { return !held[name] && len(versions[name]) > 0 })
	return fmt.Errorf("no snapshot of %q has the job's hold", copies[i])
}
