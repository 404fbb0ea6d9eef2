package endpoint

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/plural"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
)

// Limits bound what a receiver's client may have. What is there stays; what
// would be more is refused. The zero value is no limit.
type Limits struct {
	Datasets  int // that are received; 0: any number
	Snapshots int // below the roots; 0: any number
	// Quota refuses to receive below a root above which no quota stands. That
	// of a pool's own dataset does not count, and neither does a refquota,
	// which bounds no snapshots and nothing below.
	Quota bool
}

const (
	// countedFor is how long a count, or a quota that was found, is believed.
	countedFor = 10 * time.Second
	// share is the part of what is left up to a limit that one connection may
	// fill before it counts again: others of the same client fill it, too.
	share = 32
)

// census is what was counted last, and what has been let in since then.
type census struct {
	mu                  sync.Mutex
	at                  time.Time
	datasets, snapshots int
	more                transferred
	quota               map[string]time.Time // when one was found, by root
}

// transferred is what a request would add.
type transferred struct{ datasets, snapshots int }

// checkLimits refuses a stream or a placeholder that would exceed a limit.
func (r *Receiver) checkLimits(ctx context.Context, name string, more transferred) error {
	l := r.Limits
	r.census.mu.Lock()
	defer r.census.mu.Unlock()
	if l.Quota {
		if err := r.checkQuota(ctx, name); err != nil {
			return err
		}
	}
	if l.Datasets == 0 && l.Snapshots == 0 {
		return nil
	}
	if !r.roomLeft(more) {
		if err := r.count(ctx); err != nil {
			return fmt.Errorf("cannot count what is there: %w", err)
		}
	}
	c := &r.census
	if n := c.datasets + c.more.datasets; l.Datasets > 0 && more.datasets > 0 && n+more.datasets > l.Datasets {
		return fmt.Errorf("dataset %q: the limit of %s is reached (limits: datasets): there are %d", name, plural.Of(l.Datasets, "dataset"), n)
	}
	if n := c.snapshots + c.more.snapshots; l.Snapshots > 0 && more.snapshots > 0 && n+more.snapshots > l.Snapshots {
		return fmt.Errorf("dataset %q: the limit of %s is reached (limits: snapshots): there are %d", name, plural.Of(l.Snapshots, "snapshot"), n)
	}
	c.more.datasets += more.datasets
	c.more.snapshots += more.snapshots
	return nil
}

// limitReceive is checkLimits for a stream.
func (r *Receiver) limitReceive(ctx context.Context, in transfer.ReceiveRequest) error {
	more := transferred{snapshots: 1 + len(in.Via)}
	if in.First() && !in.Over && !in.Resume {
		more.datasets = 1
	}
	return r.checkLimits(ctx, in.Dataset, more)
}

// limitPlaceholder is checkLimits for a placeholder. Roots, and what stands
// above them, are made for the client and are not its own.
func (r *Receiver) limitPlaceholder(ctx context.Context, name string) error {
	more := transferred{datasets: 1}
	if r.receives(name) != nil {
		more = transferred{}
	}
	return r.checkLimits(ctx, name, more)
}

// roomLeft reports whether the last count is fresh and far enough from the
// limits to let more in.
func (r *Receiver) roomLeft(more transferred) bool {
	c, l := &r.census, r.Limits
	if c.at.IsZero() || time.Since(c.at) > countedFor {
		return false
	}
	fits := func(limit, there, let, more int) bool {
		return limit == 0 || let+more <= (limit-there)/share
	}
	return fits(l.Datasets, c.datasets, c.more.datasets, more.datasets) &&
		fits(l.Snapshots, c.snapshots, c.more.snapshots, more.snapshots)
}

// count counts with one command of the fast kind.
func (r *Receiver) count(ctx context.Context) error {
	var roots []string
	for _, root := range r.Roots {
		within := func(other string) bool { return other != root && dataset.Within(root, other) }
		if !slices.ContainsFunc(r.Roots, within) {
			roots = append(roots, root)
		}
	}
	c := &r.census
	c.at, c.datasets, c.snapshots, c.more = time.Now(), 0, 0, transferred{}
	o := zfs.ListOptions{Types: []string{"filesystem", "volume", "snapshot"}, Roots: roots, Recursive: true}
	err := r.ZFS.List(ctx, o, func(f []string) error {
		ds, kind, _ := dataset.Split(f[0])
		switch {
		case kind == dataset.Snapshot:
			c.snapshots++
		case r.receives(ds) == nil:
			c.datasets++
		}
		return nil
	})
	if err := zfs.Present(err); err != nil {
		c.at = time.Time{}
		return err
	}
	return nil
}

// checkQuota refuses if no quota stands on a dataset's root or above it.
func (r *Receiver) checkQuota(ctx context.Context, name string) error {
	at := slices.IndexFunc(r.Roots, func(root string) bool { return dataset.Within(name, root) })
	root := name // a placeholder above the roots
	if at >= 0 {
		root = r.Roots[at]
	}
	if found, ok := r.census.quota[root]; ok && time.Since(found) < countedFor {
		return nil
	}
	quota, err := Quota(ctx, r.ZFS, root)
	switch {
	case err != nil:
		return fmt.Errorf("cannot find out about quotas: %w", err)
	case quota == "":
		return fmt.Errorf("dataset %q: no quota is set on %q or above it, and this sink requires one (limits: quota)", name, root)
	}
	if r.census.quota == nil {
		r.census.quota = map[string]time.Time{}
	}
	r.census.quota[root] = time.Now()
	return nil
}

// Quota returns which dataset, the given one or one above it, has a quota; ""
// if none has. A pool's own dataset is not asked.
func Quota(ctx context.Context, z *zfs.ZFS, name string) (string, error) {
	var names []string
	for ds := name; strings.Contains(ds, "/"); ds = dataset.Parent(ds) {
		names = append(names, ds)
	}
	if len(names) == 0 {
		return "", nil
	}
	got, err := z.Get(ctx, zfs.GetOptions{Properties: []string{"quota"}, Names: names})
	if err := zfs.Present(err); err != nil {
		return "", err
	}
	for _, ds := range names {
		if value := got[ds]["quota"].Value; value != "" && value != "0" && value != "-" && value != "none" {
			return ds, nil
		}
	}
	return "", nil
}
