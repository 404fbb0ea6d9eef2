package endpoint

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/cursor"
	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/property"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
)

// SetAside gives a copy in conflict, with all below it, a dated name in the same
// parent, and returns that: a new copy can begin in its place. Nothing is rolled
// back or destroyed. There is at most one for each copy, so that a client cannot
// fill the pool by conflicts.
//
// It marks the copy, makes it inert, takes the job's holds off and renames it, in
// this order. Until the last step it is what it was: if it is killed before, the
// next run does the same again.
func (r *Receiver) SetAside(ctx context.Context, in transfer.Aside) (out transfer.Name, err error) {
	a := setAside{r: r, name: in.Copy.Dataset}
	if out.Dataset, err = a.do(ctx, in); err != nil {
		return transfer.Name{}, fmt.Errorf("cannot set aside %q: %w", in.Copy.Dataset, err)
	}
	return out, nil
}

// setAside is the work on one copy.
type setAside struct {
	r       *Receiver
	name    string
	all     []zfs.Dataset // it and what is below it
	copies  []string
	longest int      // length of the longest full name, of snapshots too
	begun   bool     // it was marked by an earlier try
	ours    []string // snapshots with the job's hold
}

func (a *setAside) do(ctx context.Context, in transfer.Aside) (to string, err error) {
	for _, check := range []func() error{
		func() error { return a.allowed(ctx, in) },
		func() error { return a.look(ctx, in.Copy) },
		func() error { return a.findHolds(ctx) },
		func() error { to, err = a.newName(ctx, in.Reason, time.Now()); return err },
		func() error { return a.checkRoom(ctx) },
	} {
		if err := check(); err != nil {
			return "", err
		}
	}
	if err := a.makeInert(ctx, asideBegun+lastPart(to)); err != nil {
		return "", err
	}
	bad, err := a.r.ZFS.Release(ctx, a.r.Tag, a.ours)
	if err := errors.Join(append(slices.Collect(maps.Values(bad)), err)...); err != nil {
		return "", err
	}
	if err := a.r.ZFS.Rename(ctx, a.name, to); err != nil {
		_, herr := a.r.ZFS.Hold(context.WithoutCancel(ctx), a.r.Tag, a.ours)
		return "", errors.Join(err, herr)
	}
	// With either mark it is set aside. Without this one it would look begun if a
	// person renamed it back.
	_ = a.r.ZFS.Set(ctx, map[string]string{AsideProperty: lastPart(to)}, to)
	return to, nil
}

func (a *setAside) allowed(ctx context.Context, in transfer.Aside) error {
	if !slices.Contains(a.r.Asides, in.Reason) || !slices.Contains(dataset.AsideReasons, in.Reason) {
		return errors.New("the receiver's configuration does not allow it")
	}
	if err := a.r.changes(ctx, a.name); err != nil {
		return err
	}
	if dataset.Parent(a.name) == "" {
		return errors.New("it is a pool's own dataset")
	}
	if err := dataset.CheckShort(in.Copy.Name); err != nil {
		return fmt.Errorf("bad snapshot name: %w", err)
	}
	if a.r.Shared == nil {
		return nil
	}
	return a.r.Shared(a.name)
}

// asideBegun begins the mark of what does not have its new name yet.
const asideBegun = "begun:"

// maxBegun is for how long a try that did not come to its end counts: after that a
// mark that was left must not stand for the job's holds.
const maxBegun = 3 * 24 * time.Hour

// recentlyBegun reports whether an earlier try has marked the copy, which may have
// taken the holds off.
func (a *setAside) recentlyBegun(mark zfs.Property, now time.Time) bool {
	last, ok := strings.CutPrefix(mark.Value, asideBegun)
	of, date, named := dataset.AsideDate(dataset.Parent(a.name) + "/" + last)
	return ok && mark.Source == "local" && named && of == a.name && now.Sub(date) < maxBegun
}

// look reads the copy and what is below it, and refuses what somebody has put to
// use, and what the caller has not seen.
func (a *setAside) look(ctx context.Context, newest transfer.Snap) error {
	l := listing{zfs: a.r.ZFS, roots: []string{a.name}, recursive: true, bookmarks: true,
		properties: append([]string{"mounted", "readonly", "volmode", "snapdev"}, receiverProperties...)}
	if err := l.run(ctx); err != nil {
		return err
	}
	a.all = l.datasets
	if len(a.all) == 0 {
		return errors.New("it does not exist")
	}
	above, err := Asides(ctx, a.r.ZFS, []string{a.name})
	if err != nil {
		return err
	}
	if len(above) > 0 {
		return errors.New("it was set aside before, or is below what was")
	}
	a.begun = a.recentlyBegun(a.all[0].Properties[AsideProperty], time.Now())
	snaps := slices.DeleteFunc(slices.Clone(l.versions[a.name]), func(v dataset.Version) bool { return v.Kind != dataset.Snapshot })
	if n := len(snaps); n == 0 || snaps[n-1].Name != newest.Name || snaps[n-1].GUID != newest.GUID {
		return fmt.Errorf("its newest snapshot is not %q with guid %s", newest.Full(), newest.GUID)
	}
	for _, d := range a.all {
		if err := a.lookAt(d, l.versions[d.Name]); err != nil {
			return err
		}
	}
	return a.checkKeys(ctx)
}

func (a *setAside) lookAt(d zfs.Dataset, versions []dataset.Version) error {
	t, snapshots := received(d), 0
	a.longest = max(a.longest, len(d.Name))
	for _, v := range versions {
		a.longest = max(a.longest, len(v.Full(d.Name)))
		if v.Kind == dataset.Snapshot {
			snapshots++
		} else if cursor.Ours(v.Name) {
			return fmt.Errorf("another job needs %q", v.Full(d.Name))
		}
	}
	switch {
	case d.Properties["mounted"].Value == "yes":
		return fmt.Errorf("%q is mounted", d.Name)
	case t.Copy && a.inUse(d) != "":
		return fmt.Errorf("%q is not inert: %s; if nobody uses it: zreplctl activate -inert %s", d.Name, a.inUse(d), d.Name)
	case d.Type == "volume" && hasDevice(d.Name):
		return fmt.Errorf("%q has a device in %s: somebody has it open", d.Name, volumeDevices)
	case asideOf(d) != "":
		return fmt.Errorf("%q was set aside before, and is below it", d.Name)
	case t.Copy && snapshots > 0:
		a.copies = append(a.copies, d.Name)
	case snapshots > 0 || !t.Placeholder && t.Partial == nil:
		return fmt.Errorf("%q is no copy that zreplctl made", d.Name)
	}
	return nil
}

// volumeDevices is where volumes have their devices. One that was open when it lost
// its volmode keeps its device until it is closed.
var volumeDevices = "/dev/zvol"

func hasDevice(name string) bool {
	for _, path := range []string{name, strings.ReplaceAll(name, " ", "+")} { // as udev writes it
		if _, err := os.Lstat(volumeDevices + "/" + path); err == nil {
			return true
		}
	}
	return false
}

// inUse says what of a copy somebody has set for its use; empty: nothing. What the
// job itself sets is none of that, except for what gives a volume devices: whether
// one is open cannot be seen, and a pool that renames an open one may crash the host.
func (a *setAside) inUse(d zfs.Dataset) string {
	volume := d.Type == "volume"
	for _, name := range []string{"volmode", "snapdev", "canmount", "readonly"} {
		want, ok := property.Inert(volume)[name]
		has := d.Properties[name].Value
		switch set, ours := a.r.Set[name]; {
		case !ok || has == want || name == "canmount" && has == "off":
		case ours && has == set && (name == "readonly" || name == "canmount"):
		default:
			return name + " is " + has
		}
	}
	return ""
}

// zreplHold begins the tags of the holds that zrepl puts.
const zreplHold = "zrepl_"

// findHolds refuses a copy that another job needs, and one that this job has not
// received.
func (a *setAside) findHolds(ctx context.Context) error {
	names, err := Held(ctx, a.r.ZFS, []string{a.name}, func(string) bool { return true })
	if err != nil {
		return err
	}
	holds, err := a.r.ZFS.Holds(ctx, names)
	if err != nil {
		return err
	}
	held := map[string]bool{}
	for _, name := range names {
		for _, tag := range holds[name] {
			switch {
			case tag == a.r.Tag:
				ds, _, _ := dataset.Split(name)
				held[ds], a.ours = true, append(a.ours, name)
			case cursor.Ours(tag), strings.HasPrefix(tag, zreplHold):
				return fmt.Errorf("another job needs %q: it has the hold %q", name, tag)
			}
		}
	}
	for _, name := range a.copies {
		if !held[name] && !a.begun {
			return fmt.Errorf("no snapshot of %q has the job's hold", name)
		}
	}
	return nil
}

// newName finds a name that nothing has.
func (a *setAside) newName(ctx context.Context, reason string, now time.Time) (string, error) {
	there := map[string]bool{}
	o := zfs.ListOptions{Types: []string{"filesystem", "volume"}, Roots: []string{dataset.Parent(a.name)}, Depth: 1}
	err := a.r.ZFS.List(ctx, o, func(f []string) error { there[strings.Clone(f[0])] = true; return nil })
	if err != nil {
		return "", err
	}
	var names []string // the earlier one may have moved along with what is above
	for up := a.name; up != ""; up = dataset.Parent(up) {
		names = append(names, up)
	}
	before, err := AsidesBeside(ctx, a.r.ZFS, names)
	if err != nil {
		return "", err
	}
	for name := range before {
		return "", fmt.Errorf("%q was set aside before and is still there", name)
	}
	for n := 1; n <= dataset.MaxAside; n++ {
		to := dataset.Aside(a.name, reason, now.UTC().Format("20060102"), n)
		if there[to] {
			continue
		}
		if n := a.longest + len(to) - len(a.name); n > dataset.MaxNameLen {
			return "", fmt.Errorf("a name would have %d bytes: at most %d", n, dataset.MaxNameLen)
		}
		return to, dataset.CheckName(to)
	}
	return "", errors.New("all names of this date are taken")
}

// makeInert marks the copy, and undoes what somebody has set for its use.
func (a *setAside) makeInert(ctx context.Context, mark string) error {
	var of [2][]string // filesystems, volumes
	for _, d := range a.all {
		switch {
		case !slices.Contains(a.copies, d.Name):
		case d.Type == "volume":
			of[1] = append(of[1], d.Name)
		default:
			of[0] = append(of[0], d.Name)
		}
	}
	if err := a.r.ZFS.Set(ctx, map[string]string{AsideProperty: mark}, a.name); err != nil {
		return err
	}
	for kind, names := range of {
		for len(names) > 0 {
			n := zfs.FitArgs(names)
			if err := a.r.ZFS.Set(ctx, property.Inert(kind == 1), names[:n]...); err != nil {
				return err
			}
			names = names[n:]
		}
	}
	return nil
}
