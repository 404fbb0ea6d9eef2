package zfs

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/fault"
)

// holdBatch is how many snapshots one zfs hold or release is given. Each may
// cost a line on stderr, all of which have to be kept to be judged.
const holdBatch = 150

// A command takes a transaction group for each of its snapshots, one after the
// other. Several commands at once share them.
const (
	holdsAtOnce = 8
	holdShare   = 4 // fewer are not worth a command of their own
)

// Hold puts the hold tag on snapshots (full names). The command takes many
// but is not atomic: the answer holds an error for each that has no such hold
// now. One that had it already is none of them.
func (z *ZFS) Hold(ctx context.Context, tag string, snapshots []string) (map[string]error, error) {
	return z.holdOrRelease(ctx, "hold", tag, snapshots, "tag already exists")
}

// Release takes the hold tag from snapshots, as Hold puts it there. A
// snapshot without the hold, or that does not exist, is no error.
func (z *ZFS) Release(ctx context.Context, tag string, snapshots []string) (map[string]error, error) {
	return z.holdOrRelease(ctx, "release", tag, snapshots, "no such tag", wordings[fault.Gone][0])
}

func (z *ZFS) holdOrRelease(ctx context.Context, verb, tag string, snapshots []string, fine ...string) (map[string]error, error) {
	if err := checkTag(tag); err != nil {
		return nil, err
	}
	if err := checkVersions(dataset.Snapshot, snapshots...); err != nil {
		return nil, err
	}
	shares := shareOut(snapshots, holdsAtOnce, holdShare)
	bad, errs := make([]map[string]error, len(shares)), make([]error, len(shares))
	var wg sync.WaitGroup
	for i, share := range shares {
		wg.Go(func() { bad[i], errs[i] = z.holdOrReleaseOf(ctx, verb, tag, share, fine) })
	}
	wg.Wait()
	all := map[string]error{}
	for _, b := range bad {
		maps.Copy(all, b)
	}
	return all, errors.Join(errs...)
}

// shareOut cuts names into parts of about the same size, at most so many, and
// into one where the parts would be smaller than small.
func shareOut(names []string, most, small int) [][]string {
	parts := max(1, min(most, len(names)/small))
	var out [][]string
	for ; parts > 0; parts-- {
		n := (len(names) + parts - 1) / parts
		out, names = append(out, names[:n]), names[n:]
	}
	return out
}

// holdOrReleaseOf is holdOrRelease for one share, with one command at a time.
func (z *ZFS) holdOrReleaseOf(ctx context.Context, verb, tag string, snapshots, fine []string) (map[string]error, error) {
	bad := map[string]error{}
	for len(snapshots) > 0 {
		n := min(FitArgs(snapshots), holdBatch)
		if err := z.holdOrReleaseAll(ctx, verb, tag, snapshots[:n], fine, bad); err != nil {
			return bad, err
		}
		snapshots = snapshots[n:]
	}
	return bad, nil
}

// holdOrReleaseAll gives one command all snapshots. Some of what it then says
// names none ("cannot hold: permission denied"): smaller commands show which
// ones are meant.
func (z *ZFS) holdOrReleaseAll(ctx context.Context, verb, tag string, snapshots, fine []string, bad map[string]error) error {
	_, err := z.output(ctx, append([]string{verb, tag}, snapshots...)...)
	if err == nil {
		return nil
	}
	silent, reason, err := readReasons(err, verb, snapshots, fine, bad)
	switch {
	case err != nil || reason == "" || len(silent) == 0:
		return err
	case len(snapshots) == 1:
		bad[snapshots[0]] = because(reason)
		return nil
	}
	half := (len(silent) + 1) / 2
	for part := range slices.Chunk(silent, half) {
		if err := z.holdOrReleaseAll(ctx, verb, tag, part, fine, bad); err != nil {
			return err
		}
	}
	return nil
}

// readReasons reads what a hold or release that failed says of each snapshot
// ("cannot hold snapshot 'NAME': REASON") or of its dataset ("cannot open
// 'NAME': REASON"). Silent are those of which it says nothing, reason is what
// it says of none of them.
func readReasons(err error, verb string, snapshots, fine []string, bad map[string]error) (silent []string, reason string, _ error) {
	var e *Error
	if !errors.As(err, &e) || e.Err != nil || e.Code != 1 {
		return nil, "", err
	}
	about := map[string][]string{} // by the names of snapshots and of their datasets
	for _, s := range snapshots {
		ds, _, _ := strings.Cut(s, "@")
		about[s], about[ds] = []string{s}, append(about[ds], s)
	}
	named := map[string]bool{}
	for line := range strings.SplitSeq(strings.TrimSpace(e.Stderr), "\n") {
		name, why, _ := aboutName(line)
		if about[name] == nil {
			reason = cmp.Or(reason, strings.TrimPrefix(strings.TrimSpace(line), "cannot "+verb+": "))
		}
		for _, s := range about[name] {
			named[s] = true
			if !containsAny(why, fine) {
				bad[s] = because(why)
			}
		}
	}
	for _, s := range snapshots {
		if !named[s] {
			silent = append(silent, s)
		}
	}
	if reason == "" && len(silent) == len(snapshots) {
		reason = e.Error()
	}
	return silent, reason, nil
}

// aboutName takes "… 'NAME': REASON" apart.
func aboutName(line string) (name, reason string, ok bool) {
	_, rest, ok1 := strings.Cut(line, "'")
	name, reason, ok2 := strings.Cut(rest, "': ")
	return name, strings.TrimSpace(reason), ok1 && ok2
}

// Bookmark makes the bookmark ds#bookmark of ds@snapshot. That it is there
// already is no error, since its name says its guid. The error is a
// fault.NoMark if this user or this pool can have none there.
func (z *ZFS) Bookmark(ctx context.Context, ds, snapshot, bookmark string) error {
	from, to := ds+"@"+snapshot, ds+"#"+bookmark
	if err := checkVersions(dataset.Snapshot, from); err != nil {
		return err
	}
	if err := checkVersions(dataset.Bookmark, to); err != nil {
		return err
	}
	_, err := z.output(ctx, "bookmark", from, to)
	switch {
	case said(err, "bookmark exists"):
		return nil
	case errors.Is(err, fault.Denied), said(err, "bookmark feature not enabled"):
		return fault.With(fault.NoMark, err)
	}
	return err
}

// DestroyBookmark destroys one bookmark. That it is gone is no error.
func (z *ZFS) DestroyBookmark(ctx context.Context, ds, bookmark string) error {
	name := ds + "#" + bookmark
	if err := checkVersions(dataset.Bookmark, name); err != nil {
		return err
	}
	_, err := z.output(ctx, "destroy", name)
	if NotExist(err) || said(err, "does not exist") {
		return nil
	}
	return err
}

// AbortReceive throws the partial receive of ds away (zfs receive -A).
func (z *ZFS) AbortReceive(ctx context.Context, ds string) error {
	if err := checkDatasets(ds); err != nil {
		return err
	}
	_, err := z.output(ctx, "receive", "-A", ds)
	return err
}
