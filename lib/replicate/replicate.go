// Package replicate carries out one run of replication between two ends.
//
// It promises what zrepl-tools(7) promises to users: both sides hold a common
// snapshot at all times; a run that is cut anywhere is repaired by the next; a
// dataset in conflict does not stop the others; and a run that returns no error
// has done everything. It moves no byte itself and does not know zfs: the ends
// do, on this host or at the other end of a connection.
package replicate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/plan"
	"github.com/zrepl-tools/zrepl-tools/lib/progress"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// Sender is the end that datasets come from. Its methods are called from
// several goroutines at once. An error that may pass by itself is a
// *transfer.LinkError.
type Sender interface {
	List(context.Context, transfer.ListRequest) ([]transfer.Dataset, error)
	Send(context.Context, transfer.SendRequest) (*transfer.Stream, error)
	// Size is about how many bytes a stream would have.
	Size(context.Context, transfer.SendRequest) (uint64, error)
	// Sizes is Size of at most transfer.MaxSizes streams; 0: it is not known.
	Sizes(context.Context, []transfer.SendRequest) ([]uint64, error)
	Protect(context.Context, transfer.Holds) (transfer.Problems, error)
	Held(context.Context, []transfer.Snap) ([]transfer.Snap, error)
	// Strays finds what protects datasets that are outside the sender's rules.
	Strays(context.Context, transfer.StraysRequest) (transfer.Strays, error)
	Deferred(context.Context, []transfer.Snap) ([]transfer.Snap, error)
	Uses(context.Context, transfer.UsesRequest) (map[string]transfer.Uses, error)
}

// Receiver is the end that datasets go to; see Sender. Receive takes the
// stream over and closes it, whatever happens.
type Receiver interface {
	List(context.Context, transfer.ListRequest) ([]transfer.Dataset, error)
	Receive(context.Context, transfer.ReceiveRequest, *transfer.Stream, func(bytes uint64)) (transfer.Received, error)
	Protect(context.Context, transfer.Holds) (transfer.Problems, error)
	Held(context.Context, []transfer.Snap) ([]transfer.Snap, error)
	Since(context.Context, []transfer.Snap) (map[string]uint64, error)
	Takes(context.Context, struct{}) (transfer.Takes, error)
	Apply(context.Context, []transfer.Settings) (transfer.Applied, error)
	Placeholder(context.Context, transfer.Placeholder) error
	// Rename gives a copy another name, with all below it, where the receiver's
	// own configuration lets it.
	Rename(context.Context, transfer.Rename) error
	// SetAside gives a copy in conflict a dated name, with all below it, where the
	// receiver's own configuration lets it, and returns that.
	SetAside(context.Context, transfer.Aside) (transfer.Name, error)
	Abort(context.Context, transfer.Name) error
	// Targets says where datasets of the sender go; those that are not to be
	// replicated are not in the answer.
	Targets(ctx context.Context, sources []string) (map[string]string, error)
}

// Job is what to replicate. It is used for one Run.
type Job struct {
	Sender   Sender
	Receiver Receiver
	Policy   plan.Policy
	// Parallel is how many streams flow at once, at least 1.
	Parallel int
	// Named are the datasets that the job's rules name. Say is told of those
	// where the sender has nothing, neither there nor below.
	Named []string
	// Targets are the datasets here that the job's rules name as targets. If the
	// pool of one is missing, the run fails, also if the sender offers nothing
	// for it: no run can see the copies that are there.
	Targets []string
	// Covered are the targets that earlier runs received, each with its source;
	// "": that is not known. The run reports those whose source is not offered
	// now, also if the copy itself is gone.
	Covered map[string]string
	// Partial says that the sender has only some of its datasets at hand: nothing
	// follows for targets whose source it does not offer.
	Partial bool
	// Noted are the guids of the bases that the last run found, by target.
	Noted map[string][]dataset.GUID
	// Unlisted reports that Covered may lack some: the run looks at all holds.
	Unlisted bool
	// Cover is told what Covered lacks, before streams begin and after the last
	// one, and which of its targets are stale: their source goes to another
	// one by now. Nil: nobody.
	Cover func(fresh map[string]string, stale []string)
	// Fates is asked, once both ends were looked at, what becomes of the copies whose
	// sources are gone; nil: all stay.
	Fates func(context.Context, []Vanished) (map[string]Fate, error)
	// Renamed is told the new names of targets, by the old ones; nil: nobody is.
	Renamed func(now map[string]string)
	// Thorough looks for what an earlier run may have left behind, which
	// takes long where there are many snapshots.
	Thorough bool
	// Unreleased is what the last run could not release.
	Unreleased Unreleased
	// Cramped are the targets that had no room for a stream in the last run:
	// others go first, and a stream that would not fit is not begun.
	Cramped []string
	// Retries is how often in a row the link may be lost without anything
	// having been done in between of what was to be done when the run began: new
	// work that turns up later keeps no run going. Delay is the wait before the first retry,
	// doubled for each that follows, up to a minute; 0 means a second. What
	// cannot be reached at the beginning is not tried again, and neither is a
	// stream that stalls.
	Retries int
	Delay   time.Duration

	// Estimate asks how large the streams are while they flow, for those who
	// watch.
	Estimate bool

	Tracker *progress.Tracker
	// Say is told what a person may want to know: what was cleaned up, that
	// the link was lost. Nil: nobody.
	Say func(string)

	scoped bool
	tidy   bool
	left   Unreleased
	bases  bases
	told   bool            // what the sender cannot tell was said
	anew   map[string]bool // targets of which was said that their copy is gone
	whole  map[string]bool // and those of which was said that they share nothing
	said   atomic.Int64
	due    due
}

// Tidy reports, behind Run, whether nothing is left held that need not be: the
// next run need not be thorough.
func (j *Job) Tidy() bool { return j.tidy }

// ErrIncomplete is the end of a run in which something was left undone: the
// tracker knows what.
var ErrIncomplete = errors.New("not everything was replicated")

// maxLooks is how often in a row a run looks again without having done
// anything that was due.
const maxLooks = 5

const maxDelay = time.Minute

// Run replicates everything once. The error is ErrIncomplete where some
// datasets failed, a *transfer.LinkError where the link was lost for good,
// and otherwise the reason why nothing could be done.
func (j *Job) Run(ctx context.Context) error {
	defer j.sayRest()
	err := j.repeat(ctx)
	if came := j.bases.arrived(); len(came) > 0 {
		j.addCovered(came, nil)
	}
	return err
}

func (j *Job) repeat(ctx context.Context) error {
	if j.Delay == 0 {
		j.Delay = time.Second
	}
	delay, left, thorough, reached := j.Delay, 0, j.Thorough || j.Unlisted, false
	looks, spoiled, cramped, unrenamed, asided := 0, map[string]error{}, map[string]bool{}, map[string]error{}, map[string]error{}
	for _, target := range j.Cramped {
		cramped[target] = true
	}
	var others error
	for again := false; ; again = true {
		r := &round{Job: j, thorough: thorough, fresh: again, spoiled: spoiled, cramped: cramped, unrenamed: unrenamed, asided: asided, again: map[int]error{}}
		err := r.run(ctx)
		j.left = r.left
		j.tidy = err == nil && ctx.Err() == nil && r.lost == nil && !r.untidy
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if r.moved || r.tidied && !reached {
			delay, left = j.Delay, j.Retries
		}
		others = cmp.Or(r.others, others)
		if r.tidied {
			reached, thorough = true, r.untidy
		}
		lost := r.lost
		if link := (*transfer.LinkError)(nil); errors.As(err, &link) {
			lost = err
		}
		switch {
		case lost != nil && left > 0 && !errors.As(lost, new(*transfer.StallError)):
			j.say(fmt.Sprintf("%v; trying again in %v", lost, delay))
			if err := sleep(ctx, delay); err != nil {
				return err
			}
			delay, left = min(2*delay, maxDelay), left-1
			thorough = true // whatever was under way may have been done in part
		case lost != nil:
			return lost
		case err != nil:
			return err
		case len(r.again) > 0 && looks < maxLooks:
			if looks++; r.moved {
				looks = 0
			}
		case r.failed, len(r.again) > 0:
			r.giveUp()
			return ErrIncomplete
		default:
			return others
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// maxSaid is how many lines a run says: the other host can cause one for each
// dataset that it lists.
const maxSaid = 200

func (j *Job) say(text string) {
	if n := j.said.Add(1); j.Say != nil && n <= maxSaid {
		j.Say(text)
	}
}

// sayRest says how many lines were left out.
func (j *Job) sayRest() {
	if n := j.said.Swap(0) - maxSaid; j.Say != nil && n > 0 {
		j.Say(fmt.Sprintf("… and %d more lines", n))
	}
}

func (j *Job) update(target string, fn func(*progress.Dataset)) {
	if j.Tracker != nil {
		j.Tracker.Update(target, fn)
	}
}
