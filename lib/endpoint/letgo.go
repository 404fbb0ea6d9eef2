package endpoint

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
)

// Going is a copy that is to go, because its source is gone. No peer can ask for
// that: it is no verb of the protocol.
type Going struct {
	Name   string
	Newest dataset.Version // its newest snapshot, as a run has seen it
	// Below reports of a dataset below it that it goes before; nil: none does.
	Below func(name string) bool
	// Begun is the guid of the dataset itself if an earlier try began to destroy it,
	// and may have left it without the job's hold or without snapshots; 0: none did.
	Begun dataset.GUID
	// Last is the guid of the newest snapshot at that time, which had the job's hold.
	// Only that one needs no hold now: somebody may have taken another meanwhile.
	Last dataset.GUID
	// Bytes is what the dataset referred to at that time: without snapshots nothing
	// else tells that somebody has written into what is left.
	Bytes uint64
}

// MayGo refuses a copy that somebody needs, uses or has changed, and one that is
// not this job's alone. It returns the guid of the dataset itself, 0 if there is none,
// and how many bytes it refers to.
func (r *Receiver) MayGo(ctx context.Context, g Going) (guid dataset.GUID, bytes uint64, err error) {
	l := leaving{r: r, g: g}
	err = l.look(ctx)
	return l.guid, l.bytes, err
}

// LetGo destroys a copy. It looks at all once more right before: the snapshots that
// it saw go by their names, the newest and those with the job's hold last, and then
// the dataset without -r, so that ZFS refuses if it got a snapshot, a clone or a
// dataset below it meanwhile.
func (r *Receiver) LetGo(ctx context.Context, g Going) error {
	l := leaving{r: r, g: g}
	if err := l.look(ctx); err != nil || l.guid == 0 {
		return err
	}
	return l.destroy(ctx)
}

// leaving is the work on one copy.
type leaving struct {
	r     *Receiver
	g     Going
	guid  dataset.GUID
	bytes uint64   // that it refers to
	snaps []string // without the dataset, the oldest first
	ours  []string // of them, those with the job's hold
}

func (l *leaving) look(ctx context.Context) error {
	if err := l.r.changes(ctx, l.g.Name); err != nil {
		return err
	}
	if dataset.Parent(l.g.Name) == "" {
		return errors.New("it is a pool's own dataset")
	}
	list := listing{zfs: l.r.ZFS, roots: []string{l.g.Name}, recursive: true, bookmarks: true,
		properties: append([]string{"guid", "referenced", "mounted", "readonly", "volmode", "snapdev"}, receiverProperties...)}
	if err := list.run(ctx); err != nil {
		return err
	}
	if len(list.datasets) == 0 {
		return l.imported(ctx)
	}
	for _, d := range list.datasets[1:] {
		if l.g.Below == nil || !l.g.Below(d.Name) {
			return fmt.Errorf("%q is below it", d.Name)
		}
	}
	d := list.datasets[0]
	guid, err := dataset.ParseGUID(d.Properties["guid"].Value)
	if err != nil || d.Name != l.g.Name {
		return fmt.Errorf("it is not known which dataset it is: %v", err)
	}
	if l.bytes, err = strconv.ParseUint(d.Properties["referenced"].Value, 10, 64); err != nil {
		return fmt.Errorf("it is not known how much is in it: %w", err)
	}
	l.guid = guid
	for _, check := range []func() error{
		func() error { return l.versions(list.versions[d.Name]) },
		func() error { return l.atRest(d) },
		func() error { return l.unneeded(ctx) },
	} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// imported refuses a copy that cannot be seen because its pool is not there.
func (l *leaving) imported(ctx context.Context) error {
	pool := dataset.Pool(l.g.Name)
	if there, err := l.r.ZFS.Datasets(ctx, []string{pool}, false, "guid"); err != nil || len(there) == 0 {
		return errors.Join(fmt.Errorf("pool %q is not imported", pool), zfs.Present(err))
	}
	return nil
}

// again reports whether an earlier try began to destroy this very dataset.
func (l *leaving) again() bool { return l.g.Begun != 0 && l.g.Begun == l.guid }

// versions refuses a copy with other snapshots than the run saw, or with a bookmark:
// whoever made that sends on from there.
func (l *leaving) versions(all []dataset.Version) error {
	var newest dataset.Version
	for _, v := range all {
		if v.Kind != dataset.Snapshot {
			return fmt.Errorf("it has the bookmark %s", v)
		}
		newest = v
		l.snaps = append(l.snaps, v.Name)
	}
	switch {
	case len(all) == 0 && !l.again():
		return errors.New("it has no snapshot")
	case len(all) > 0 && (newest.GUID != l.g.Newest.GUID || newest.Name != l.g.Newest.Name):
		return fmt.Errorf("its newest snapshot is %s now", newest)
	}
	return nil
}

// atRest refuses a copy that is in use, or was, and one that nobody received.
func (l *leaving) atRest(d zfs.Dataset) error {
	t, use := received(d), setAside{r: l.r}
	switch {
	case !t.Copy || t.Placeholder:
		return errors.New("it is no copy that zreplctl made")
	case asideOf(d) != "":
		return errors.New("it was set aside")
	case d.Properties["mounted"].Value == "yes":
		return errors.New("it is mounted")
	case d.Properties["readonly"].Value != "on":
		return errors.New("it is not read-only")
	case use.inUse(d) != "":
		return fmt.Errorf("it is not inert: %s; if nobody uses it: zreplctl activate -inert %s", use.inUse(d), d.Name)
	case d.Type == "volume" && hasDevice(d.Name):
		return fmt.Errorf("it has a device in %s: somebody has it open", volumeDevices)
	case t.Partial != nil:
		return fmt.Errorf("a receive into it was cut: zfs receive -A %s", d.Name)
	case len(l.snaps) == 0 && l.bytes != l.g.Bytes:
		return errors.New("something was written into it after its snapshots went")
	case t.Written != 0 && len(l.snaps) > 0:
		return fmt.Errorf("%d bytes were written since its newest snapshot", t.Written)
	}
	return nil
}

// unneeded refuses a copy with a hold that is not the job's or with a clone, and one
// whose newest snapshot does not have the job's hold: another brought that.
func (l *leaving) unneeded(ctx context.Context) error {
	var held []string
	o := zfs.ListOptions{Types: []string{"snapshot"}, Columns: []string{"name", "userrefs", "clones"}, Roots: []string{l.g.Name}, Depth: 1}
	var clone error
	err := l.r.ZFS.List(ctx, o, func(f []string) error {
		if f[1] != "0" {
			held = append(held, strings.Clone(f[0]))
		}
		if f[2] != "" && f[2] != "-" && clone == nil {
			clone = fmt.Errorf("%q has the clone %s", f[0], f[2])
		}
		return nil
	})
	if err != nil || clone != nil {
		return errors.Join(err, clone)
	}
	holds, err := l.r.ZFS.Holds(ctx, held)
	if err != nil {
		return err
	}
	for _, name := range held {
		for _, tag := range holds[name] {
			if tag != l.r.Tag {
				return fmt.Errorf("%q has the hold %q", name, tag)
			}
			_, _, short := dataset.Split(name)
			l.ours = append(l.ours, short)
		}
	}
	if len(l.snaps) > 0 && !(l.again() && l.g.Last == l.g.Newest.GUID) && !slices.Contains(l.ours, l.g.Newest.Name) {
		return fmt.Errorf("its newest snapshot %s does not have the job's hold", l.g.Newest)
	}
	return nil
}

func (l *leaving) destroy(ctx context.Context) error {
	var first, last, held []string
	for i, short := range l.snaps {
		if i == len(l.snaps)-1 || slices.Contains(l.ours, short) {
			last = append(last, short)
		} else {
			first = append(first, short)
		}
	}
	for _, short := range l.ours {
		held = append(held, l.g.Name+"@"+short)
	}
	if err := l.destroySnapshots(ctx, first); err != nil {
		return err
	}
	if bad, err := l.r.ZFS.Release(ctx, l.r.Tag, held); err != nil || len(bad) > 0 {
		for name, why := range bad {
			err = errors.Join(err, fmt.Errorf("cannot release %q: %w", name, why))
		}
		return err
	}
	if err := l.destroySnapshots(ctx, last); err != nil {
		_, herr := l.r.ZFS.Hold(context.WithoutCancel(ctx), l.r.Tag, held)
		return errors.Join(err, herr)
	}
	// The snapshots may have taken minutes, in which somebody began to use the copy.
	left := leaving{r: l.r, g: Going{Name: l.g.Name, Begun: l.guid, Bytes: l.bytes}}
	switch err := left.look(ctx); {
	case err != nil:
		return fmt.Errorf("its snapshots went, and it stays: %w", err)
	case left.guid == 0:
		return nil
	}
	return l.r.ZFS.DestroyDataset(ctx, l.g.Name)
}

func (l *leaving) destroySnapshots(ctx context.Context, shorts []string) error {
	for len(shorts) > 0 {
		n := zfs.Batch(l.g.Name, shorts)
		if err := l.r.ZFS.DestroySnapshots(ctx, l.g.Name, shorts[:n]); err != nil {
			return err
		}
		shorts = shorts[n:]
	}
	return nil
}
