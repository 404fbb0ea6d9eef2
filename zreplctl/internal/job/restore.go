package job

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/cursor"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
)

// Restore makes a new dataset of this host from one snapshot of a copy of a job,
// or a tree of them.
//
// It promises to write to nothing that another has made, to leave what it makes
// as inert as a copy, and to change of the copies only holds of its own. All it
// has to know after a kill is in ZFS: a hold on each snapshot that it reads, with
// the target in its tag, and a mark on each dataset that it makes.
type Restore struct {
	Run  *Run
	Jobs []*config.Job // of the configuration: the target is none of theirs
	// Dataset is the source, as the job's rules know it, or the copy itself.
	Dataset string
	// Snapshot is without the dataset; empty: the newest, or that with which an
	// earlier run has begun.
	Snapshot  string
	Target    string
	Recursive bool // the copies below, too
	Theirs    bool // set by Abandon: Target is one on the host of a sink's client

	from      copies // where the copies are
	copy, tag string
	parts     []*RestorePart // parents first
	astray    []string       // what has this restore's hold and is on none of the parts
	lock      *os.File
	jobLock   *os.File // of the job, if its connection is used
	endRates  func()
	programs  Programs // with the job's rates
}

// ErrRestoring says that another restore from the job's copies is active.
var ErrRestoring = errors.New("another restore from this job is active")

// Plan looks, and changes nothing. Of parts that can be sent it finds out about
// how many bytes these streams would have.
func (r *Restore) Plan(ctx context.Context) ([]*RestorePart, error) {
	r.open()
	defer func() { r.from.close() }()
	if err := r.look(ctx); err != nil {
		return nil, err
	}
	for _, p := range r.parts {
		if !p.wanted() {
			continue
		}
		p.Size = r.from.size(ctx, p)
	}
	return r.parts, ctx.Err()
}

// Do restores, or continues what a run that was cut has left. The error is of
// the whole; each part has its own.
func (r *Restore) Do(ctx context.Context) ([]*RestorePart, error) {
	if err := r.begin(ctx); err != nil {
		return nil, err
	}
	defer func() { r.end() }()
	if err := r.look(ctx); err != nil {
		return nil, err
	}
	if err := r.hold(ctx); err != nil {
		return nil, err
	}
	for _, p := range r.parts {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		r.bring(ctx, p)
	}
	return r.parts, r.release(ctx)
}

// begin keeps other restores from this job away.
func (r *Restore) begin(ctx context.Context) (err error) {
	r.lock, err = lock(ctx, r.Run.Global.RunDir, r.Run.Job.Name+"+restore") // no job has such a name
	if errors.Is(err, ErrRunning) {
		return ErrRestoring
	}
	if err == nil && r.far() {
		err = r.beginFar(ctx)
	}
	if err != nil {
		r.lock.Close()
		return err
	}
	r.open()
	return nil
}

func (r *Restore) end() {
	r.from.close()
	if r.jobLock != nil {
		r.jobLock.Close()
	}
	r.lock.Close()
}

// hold keeps all that is to be read, or nothing: then nothing is made either.
func (r *Restore) hold(ctx context.Context) error {
	var wanted []*RestorePart
	var fresh []string // not those that an earlier run has held
	for _, p := range r.parts {
		if p.wanted() {
			wanted = append(wanted, p)
			if !p.holds(p.snapshot.Name) {
				fresh = append(fresh, p.From())
			}
		}
	}
	if err := r.holdAll(ctx, wanted); err != nil {
		return errors.Join(err, r.releaseAll(ctx, fresh))
	}
	for _, p := range wanted {
		if !p.holds(p.snapshot.Name) {
			p.held = append(p.held, p.snapshot.Name)
		}
	}
	return nil
}

// holdAll holds the first before all others: where that has no hold, and nothing
// was made, the others' holds are another restore's.
func (r *Restore) holdAll(ctx context.Context, wanted []*RestorePart) error {
	first := min(1, len(wanted))
	for _, share := range [][]*RestorePart{wanted[:first], wanted[first:]} {
		if len(share) == 0 {
			continue
		}
		bad, err := r.from.hold(ctx, share)
		if err != nil {
			return fmt.Errorf("cannot hold the snapshots: %w", err)
		}
		for _, p := range share {
			if err := bad[p.From()]; err != nil {
				return fmt.Errorf("cannot hold %q: %w", p.From(), err)
			}
		}
	}
	return r.from.confirm(ctx, wanted)
}

// release releases this restore's holds on the copies that are restored: on all
// others a run of the same command needs them. It is an error if any other is
// left, such as on a copy that was renamed meanwhile.
func (r *Restore) release(ctx context.Context) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var names, needed []string
	for _, p := range r.parts {
		for _, short := range p.held {
			if p.State == RestoreDone {
				names = append(names, p.Copy+"@"+short)
			} else {
				needed = append(needed, p.Copy+"@"+short)
			}
		}
	}
	if err := r.releaseAll(ctx, names); err != nil {
		return err
	}
	left, err := r.from.tagged(ctx)
	if err != nil {
		return fmt.Errorf("cannot look for holds that are left: %w", err)
	}
	left = slices.DeleteFunc(left, func(name string) bool { return slices.Contains(needed, name) })
	if len(left) > 0 {
		return advised(r.abandon(), "this restore's hold is left on %s", some(left))
	}
	return nil
}

func (r *Restore) releaseAll(ctx context.Context, names []string) error {
	if len(names) == 0 {
		return nil
	}
	bad, err := r.from.release(ctx, names)
	if err != nil {
		return fmt.Errorf("cannot release holds: %w", err)
	}
	var errs []error
	for _, name := range names {
		if bad[name] != nil {
			errs = append(errs, fmt.Errorf("cannot release the hold of %q: %w", name, bad[name]))
		}
	}
	return errors.Join(errs...)
}

// Abandon releases what a restore to Target that was cut holds, wherever on the
// host with the copies that is, and returns it. It leaves the target as it is. A
// Target that begins with "/" is one on the host of a sink's client.
func (r *Restore) Abandon(ctx context.Context, dry bool) (ours []string, err error) {
	target, theirs := strings.CutPrefix(r.Target, "/")
	theirs = theirs && r.Run.Job.Type == config.PushSink
	if r.Theirs = theirs; theirs {
		r.Target = target
	}
	if err := r.named(); err != nil {
		return nil, err
	}
	if theirs {
		r.tag = cursor.BackTag(r.Run.Job.Name, target)
	}
	if dry {
		r.open()
		defer func() { r.from.close() }()
	} else {
		if err := r.begin(ctx); err != nil {
			return nil, err
		}
		defer func() { r.end() }()
	}
	if theirs && !dry {
		for _, client := range r.Run.Job.Clients() { // its restore may be running, and need what it holds
			done, err := KeepClientAway(ctx, r.Run.Global.RunDir, client)
			if err != nil {
				return nil, err
			}
			defer done()
		}
	}
	ours, err = r.from.tagged(ctx)
	if err != nil || dry {
		return ours, err
	}
	return ours, r.releaseAll(ctx, ours)
}

// named checks the target's name, and makes the tag with it.
func (r *Restore) named() error {
	if err := checkTargetName(r.Target); err != nil {
		return err
	}
	r.tag = cursor.RestoreTag(r.Run.Job.Name, r.Target)
	if len(r.tag) > maxTag {
		return fmt.Errorf("the target %q is too long for the tag of a hold, by %d bytes", r.Target, len(r.tag)-maxTag)
	}
	return nil
}

const maxTag = 255 // of ZFS
