package job

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/peek"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
)

// Files looks into the snapshots of one dataset of a job for one file.
//
// It promises to leave the dataset as it is: not mounted if it is not, and with no
// clone, hold or property. Copies are looked at where the job has any here.
type Files struct {
	Run  *Run
	Jobs []*config.Job // of the whole configuration
	// Dataset is the source, as the job's rules know it, or the copy itself; empty:
	// Path says it.
	Dataset string
	// Snapshot is without the dataset; empty: all, or the newest that has the file.
	Snapshot string
	// Path is as on the source, or below the dataset's root.
	Path string

	fs     filesystem
	inside string // the path below the root of fs
	shots  []shot // newest first
	mounts *peek.Mounter
	gone   int // snapshots that were destroyed since they were listed
}

// shot is one snapshot.
type shot struct {
	name  string // without the dataset
	taken time.Time
	txg   uint64
	guid  string
}

// Open finds the dataset and its snapshots. Close must be called if it succeeds.
func (f *Files) Open(ctx context.Context) error {
	if err := f.resolve(ctx); err != nil {
		return err
	}
	if err := f.fs.readable(); err != nil {
		return err
	}
	return f.list(ctx)
}

// mounter is made when it is first needed.
func (f *Files) mounter() (*peek.Mounter, error) {
	if f.mounts != nil {
		return f.mounts, nil
	}
	dir := filepath.Join(f.Run.Global.RunDir, "find")
	for _, name := range []string{f.Run.Global.RunDir, dir} {
		if err := MakeRunDir(name, 0o700); err != nil {
			return nil, err
		}
	}
	mounts, left, err := peek.NewMounter(dir)
	for _, folder := range left {
		f.Run.tell(fmt.Sprintf("removed %q, which a killed run had left", folder))
	}
	f.mounts = mounts
	return mounts, err
}

// Close leaves nothing mounted.
func (f *Files) Close() error {
	if f.mounts == nil {
		return nil
	}
	return f.mounts.Close()
}

// Where is the dataset of this host, and the path in it.
func (f *Files) Where() (ds, inside string) { return f.fs.name, f.inside }

func (f *Files) list(ctx context.Context) error {
	o := zfs.ListOptions{Types: []string{"snapshot"}, Columns: []string{"name", "creation", "createtxg", "guid"}, Roots: []string{f.fs.name}, Depth: 1}
	err := f.Run.Programs.ZFS.List(ctx, o, func(fields []string) error {
		ds, _, short := dataset.Split(strings.Clone(fields[0]))
		taken, err := zfs.Creation(fields[1])
		if err != nil {
			return err
		}
		txg, err := strconv.ParseUint(fields[2], 10, 64)
		if ds == f.fs.name && (f.Snapshot == "" || f.Snapshot == short) {
			f.shots = append(f.shots, shot{short, time.Unix(taken, 0).UTC(), txg, strings.Clone(fields[3])})
		}
		return err
	})
	if err != nil {
		return err
	}
	slices.SortStableFunc(f.shots, func(a, b shot) int {
		switch {
		case a.txg < b.txg:
			return 1
		case a.txg > b.txg:
			return -1
		}
		return 0
	})
	switch {
	case len(f.shots) == 0 && f.Snapshot != "":
		return advised(fmt.Sprintf("zfs list -t snapshot %s shows which it has", f.fs.name), "%q has no snapshot @%s", f.fs.name, f.Snapshot)
	case len(f.shots) == 0:
		return fmt.Errorf("%q has no snapshot", f.fs.name)
	}
	return nil
}

// errGone: a snapshot was destroyed since they were listed.
var errGone = errors.New("the snapshot is gone")

// look opens one snapshot. It is mounted, since .zfs is where the mountpoint's path
// leads; who may not mount is shown that if it is surely the snapshot.
func (f *Files) look(ctx context.Context, s shot) (*peek.Snapshot, error) {
	full := f.fs.name + "@" + s.name
	opened, err := f.mount(ctx, full)
	if err == nil || ctx.Err() != nil {
		return opened, err
	}
	if f.fs.at != "" {
		opened, bad := peek.Visible(f.fs.at, full)
		if bad == nil {
			return opened, nil
		}
		err = fmt.Errorf("%w; and %w", err, bad)
	}
	if there, bad := f.there(ctx, s); bad != nil {
		return nil, bad
	} else if !there {
		f.gone++
		return nil, errGone
	}
	return nil, fmt.Errorf("cannot look into %q: %w", full, err)
}

func (f *Files) mount(ctx context.Context, full string) (*peek.Snapshot, error) {
	mounts, err := f.mounter()
	if err != nil {
		return nil, err
	}
	return mounts.Open(ctx, full)
}

// newest opens the newest snapshot that has the file. Close must be called.
func (f *Files) newest(ctx context.Context) (shot, *peek.Snapshot, *peek.Info, error) {
	var way error // a symbolic link that was on it
	for _, s := range f.shots {
		opened, err := f.look(ctx, s)
		if errors.Is(err, errGone) {
			continue
		}
		if err != nil {
			return s, nil, nil, f.tryAnother(err)
		}
		info, err := opened.Look(f.inside)
		if info != nil && err == nil {
			if err := f.unchanged(ctx); err != nil {
				return s, nil, nil, errors.Join(err, opened.Close())
			}
			return s, opened, info, nil
		}
		err = errors.Join(err, opened.Close())
		if link := (*peek.LinkError)(nil); errors.As(err, &link) {
			way = errors.Join(way, err)
			if f.Snapshot == "" {
				continue
			}
		}
		if err != nil {
			return s, nil, nil, f.tryAnother(fmt.Errorf("cannot look into %q: %w", f.fs.name+"@"+s.name, err))
		}
	}
	if err := f.unchanged(ctx); err != nil {
		return shot{}, nil, nil, err
	}
	return shot{}, nil, nil, f.nowhere(way)
}

// tryAnother: an older version is not silently taken for the newest.
func (f *Files) tryAnother(err error) error {
	if f.Snapshot != "" || errors.Is(err, errMoved) {
		return err
	}
	return advised("zreplctl find prints which snapshots have it; name another one: @SNAPSHOT", "%w", err)
}

// nowhere says that no snapshot has the file.
func (f *Files) nowhere(way error) error {
	if link := (*peek.LinkError)(nil); errors.As(way, &link) {
		return advised("look for the path to which it leads", "%w", link)
	}
	if f.Snapshot != "" {
		return fmt.Errorf("%q has no %q", f.fs.name+"@"+f.Snapshot, f.inside)
	}
	return advised(fmt.Sprintf("if it is in another dataset, name that with -dataset; a path in %s begins below its root", f.fs.name),
		"no snapshot of %q has %q, of %d", f.fs.name, f.inside, len(f.shots))
}
