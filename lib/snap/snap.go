// Package snap takes snapshots of datasets.
//
// It promises one command, and so one transaction, for each pool, if the
// system takes that many arguments, and to report every snapshot that exists
// afterwards. It destroys nothing; see package prune.
package snap

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
)

// Options of Take.
type Options struct {
	Prefix     string
	Format     string               // of the time after the prefix; empty: DefaultFormat
	Local      bool                 // local time instead of UTC
	Recursive  bool                 // the datasets below, too
	Passes     func(ds string) bool // only these; nil: all
	Properties map[string]string    // of the snapshots
	IfOlder    time.Duration        // skip what has a matching snapshot younger than this
	IfWritten  bool                 // skip what has nothing new since its matching snapshot
	DryRun     bool                 // Created is called, and nothing happens
	Now        func() time.Time     // nil: time.Now
	Hooks      Hooks
	// Around, if it is set, is called once before the first snapshot, with the
	// name after the @ and the datasets that are due. It returns those to
	// snapshot. Done, unless it is nil, is called when no more is taken, with the
	// datasets that have their snapshot, also if the run was cancelled, or if err
	// ended it.
	Around func(ctx context.Context, short string, due []string) (goOn []string, done func(taken map[string]bool) error, err error)

	Created func(snapshot string) error    // each, once it exists; an error of it is returned at the end
	Failed  func(object string, err error) // a dataset, or a pool, that got none
	Warn    func(format string, a ...any)  // what is done, but not as one may think
}

// Result counts datasets.
type Result struct{ Taken, Skipped, Failed int }

type run struct {
	z      *zfs.ZFS
	o      Options
	now    time.Time
	short  string
	asked  map[string]bool
	result Result
	got    map[string]bool // the datasets that have their snapshot
	out    error
}

// Take takes a snapshot of each dataset, all with the same name after the @.
// Where one of a pool's datasets does not exist, the others get theirs. err is
// for what ends the run; what failed alone is told by Failed and counted.
func Take(ctx context.Context, z *zfs.ZFS, datasets []string, o Options) (Result, error) {
	r := &run{z: z, o: o, asked: map[string]bool{}, got: map[string]bool{}}
	if r.o.Now == nil {
		r.o.Now = time.Now
	}
	if r.o.Format == "" {
		r.o.Format = DefaultFormat
	}
	r.now = r.o.Now()
	if !o.Local {
		r.now = r.now.UTC()
	}
	r.short = Name(o.Prefix, r.o.Format, r.now)
	if err := dataset.CheckShort(r.short); err != nil {
		return r.result, fmt.Errorf("bad snapshot name %q: %w", r.short, err)
	}
	if err := r.check(datasets); err != nil || len(datasets) == 0 {
		return r.result, err
	}
	due, err := r.choose(ctx, datasets)
	if err != nil {
		return r.result, err
	}
	if err := r.around(ctx, r.legal(due)); err != nil {
		return r.result, err
	}
	return r.result, r.out
}

// around takes the snapshots of all that is due, between what is called before
// and after them.
func (r *run) around(ctx context.Context, due []string) error {
	if r.o.Around == nil || len(due) == 0 {
		return r.all(ctx, due)
	}
	goOn, done, err := r.o.Around(ctx, r.short, due)
	r.result.Failed += len(due) - len(goOn)
	if err == nil {
		err = r.all(ctx, goOn)
	}
	if done != nil {
		err = errors.Join(err, done(r.got))
	}
	return err
}

// all takes the snapshots of datasets, one pool after the other.
func (r *run) all(ctx context.Context, datasets []string) error {
	for _, pool := range dataset.ByPool(datasets) {
		if err := r.pool(ctx, pool); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) check(datasets []string) error {
	for _, ds := range datasets {
		if err := dataset.CheckName(ds); err != nil {
			return fmt.Errorf("bad dataset name %q: %w", ds, err)
		}
		r.asked[ds] = true
	}
	return nil
}

func (r *run) fail(object string, err error) {
	r.result.Failed++
	if r.o.Failed != nil {
		r.o.Failed(object, err)
	}
}

// legal sorts out those datasets whose snapshot would have too long a name.
func (r *run) legal(datasets []string) (legal []string) {
	for _, ds := range datasets {
		if err := dataset.CheckFull(ds + "@" + r.short); err != nil {
			r.fail(ds, err)
			continue
		}
		legal = append(legal, ds)
	}
	return legal
}

func (r *run) pool(ctx context.Context, datasets []string) error {
	names := make([]string, len(datasets))
	for i, ds := range datasets {
		names[i] = ds + "@" + r.short
	}
	if fit := zfs.FitArgs(names, r.o.fixed()...); fit < len(names) && r.o.Warn != nil {
		r.o.Warn("the %d snapshots of pool %q do not fit into one command: they are atomic only in parts of about %d",
			len(names), dataset.Pool(datasets[0]), fit)
	}
	for len(datasets) > 0 {
		n := zfs.FitArgs(names, r.o.fixed()...)
		if err := r.batch(ctx, datasets[:n]); err != nil {
			return err
		}
		datasets, names = datasets[n:], names[n:]
	}
	return nil
}

// fixed are the arguments of a command besides the names.
func (o *Options) fixed() (args []string) {
	for name, value := range o.Properties {
		args = append(args, "-o", name+"="+value)
	}
	return args
}

func (r *run) batch(ctx context.Context, datasets []string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if r.o.DryRun {
		return r.created(datasets)
	}
	goOn, ran, abort := r.before(ctx, datasets)
	results := map[string]string{}
	defer func() { r.after(ctx, ran, results) }()
	switch {
	case abort && ctx.Err() != nil:
		return ctx.Err()
	case abort:
		return errors.New("a hook before the snapshots failed: nothing more is taken")
	}
	for _, ds := range goOn {
		results[ds] = "failed"
	}
	taken, err := r.snapshot(ctx, goOn)
	for _, ds := range taken {
		results[ds] = "taken"
	}
	return err
}

// snapshot takes the snapshots of one batch and returns which there are.
func (r *run) snapshot(ctx context.Context, datasets []string) ([]string, error) {
	err := r.command(ctx, datasets)
	if zfs.NotExist(err) {
		there, missing, listErr := r.existing(ctx, datasets)
		if listErr == nil && len(missing) > 0 {
			for _, ds := range missing {
				r.fail(ds, errors.New("dataset does not exist"))
			}
			datasets = there
			err = r.command(ctx, datasets)
		}
	}
	if err != nil && ctx.Err() != nil {
		datasets = r.taken(ctx, datasets) // zfs may have ended before, or too late to stop
		err = nil
	}
	switch {
	case err != nil && len(datasets) == 1:
		r.fail(datasets[0], err)
		return nil, nil
	case err != nil:
		r.result.Failed += len(datasets) - 1
		r.fail(dataset.Pool(datasets[0]), fmt.Errorf("0 of %d snapshots are taken: %w", len(datasets), err))
		return nil, nil
	}
	return datasets, cmp.Or(r.created(datasets), ctx.Err())
}

// takenLimit is how long a run that was cancelled looks for what it did.
const takenLimit = 10 * time.Second

// taken returns those of datasets that have the run's snapshot.
func (r *run) taken(ctx context.Context, datasets []string) (there []string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), takenLimit)
	defer cancel()
	o := zfs.ListOptions{Types: []string{"snapshot"}}
	for _, ds := range datasets {
		o.Roots = append(o.Roots, ds+"@"+r.short)
	}
	err := r.z.List(ctx, o, func(fields []string) error {
		ds, _, _ := dataset.Split(fields[0])
		there = append(there, ds)
		return nil
	})
	if err := zfs.Present(err); err != nil {
		return nil
	}
	return there
}

func (r *run) command(ctx context.Context, datasets []string) error {
	names := make([]string, len(datasets))
	for i, ds := range datasets {
		names[i] = ds + "@" + r.short
	}
	return r.z.Snapshot(ctx, names, r.o.Properties)
}

// existing parts datasets into those that exist and those that do not.
func (r *run) existing(ctx context.Context, datasets []string) (there, missing []string, err error) {
	exists := map[string]bool{}
	err = r.z.List(ctx, zfs.ListOptions{Roots: datasets}, func(fields []string) error {
		exists[fields[0]] = true
		return nil
	})
	if err != nil && !zfs.NotExist(err) {
		return nil, nil, err
	}
	for _, ds := range datasets {
		if exists[ds] {
			there = append(there, ds)
		} else {
			missing = append(missing, ds)
		}
	}
	return there, missing, nil
}

// created tells of snapshots. When the listener has gone the run goes on: a
// closed pipe must not leave half of the datasets without their snapshots.
func (r *run) created(datasets []string) error {
	r.result.Taken += len(datasets)
	for _, ds := range datasets {
		r.got[ds] = true
		if r.o.Created != nil && r.out == nil {
			r.out = r.o.Created(ds + "@" + r.short)
		}
	}
	return nil
}
