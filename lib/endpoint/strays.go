package endpoint

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/cursor"
	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/fault"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
)

// Strays looks for what protects datasets that have left the job's rules:
// excluded by now, or renamed. It asks for every snapshot of the pools that
// the rules are about, which is slow. With Release it lets go of the holds;
// with Keep a bookmark keeps their place, in case that the dataset comes back. If
// none can be made, the hold stays.
func (s *Sender) Strays(ctx context.Context, in transfer.StraysRequest) (out transfer.Strays, err error) {
	found, err := s.strays(ctx)
	if err != nil {
		return out, err
	}
	for _, name := range found {
		ds, kind, short := dataset.Split(name)
		if in.Keep && kind == dataset.Bookmark {
			continue
		}
		if in.Release {
			err := s.leave(ctx, ds, kind, short, in.Keep)
			if errors.Is(err, fault.NoMark) {
				out.Kept++
				continue
			}
			if err != nil {
				return out, err
			}
		}
		out.Count++
		out.Names = append(out.Names, name)
	}
	return out, nil
}

// strays are the full names of the client's held snapshots and
// bookmarks on datasets that the rules do not pass.
func (s *Sender) strays(ctx context.Context) (found []string, err error) {
	roots, everything := s.Datasets.Roots()
	if len(roots) == 0 && !everything {
		return nil, nil
	}
	pools := poolsOf(roots)
	if everything {
		pools = nil
	}
	l := listing{zfs: s.ZFS, roots: pools, recursive: true, tag: s.Tag}
	if err := l.findHeld(ctx); err != nil {
		return nil, err
	}
	for ds, shorts := range l.held {
		for _, short := range shorts {
			if !s.Datasets.Pass(ds) {
				found = append(found, ds+"@"+short)
			}
		}
	}
	o := zfs.ListOptions{Types: []string{"bookmark"}, Roots: pools, Recursive: true}
	err = s.ZFS.List(ctx, o, func(f []string) error {
		ds, _, short := dataset.Split(strings.Clone(f[0]))
		if tag, ok := cursor.Owner(short); ok && tag == s.Tag && !s.Datasets.Pass(ds) {
			found = append(found, ds+"#"+short)
		}
		return nil
	})
	slices.Sort(found)
	return found, zfs.Present(err)
}

// leave lets go of one dataset's hold, or bookmark.
func (s *Sender) leave(ctx context.Context, ds string, kind dataset.Kind, short string, keep bool) error {
	if kind == dataset.Bookmark {
		return s.ZFS.DestroyBookmark(ctx, ds, short)
	}
	full := ds + "@" + short
	if keep {
		guids, err := s.ZFS.GUIDs(ctx, []string{full})
		if err != nil || guids[full] == 0 {
			return err
		}
		if err := s.ZFS.Bookmark(ctx, ds, short, cursor.Bookmark(s.Tag, guids[full])); err != nil {
			return err
		}
	}
	bad, err := s.ZFS.Release(ctx, s.Tag, []string{full})
	if err == nil {
		err = bad[full]
	}
	return err
}
