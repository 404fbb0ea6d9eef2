package job

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/plan"
	"github.com/zrepl-tools/zrepl-tools/lib/replicate"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
	"github.com/zrepl-tools/zrepl-tools/lib/verify"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/reading"
)

// Verify compares copies of a job with their sources.
type Verify struct {
	Run *Run
	// Pass says which datasets are compared, by the name of the source; nil: all.
	Pass func(source string) bool
	// Part and Of take so many of so many datasets, those first that were looked
	// at longest ago; 0: all.
	Part, Of int
	Deep     bool // every common snapshot, and not only the newest
	Dry      bool // compare nothing, and say what would be compared
	// Each is told each result.
	Each func(verify.Result) error

	notes *notes
	// listed are the copies by their targets, as of now; see again.
	listed map[string]replicate.Pair
}

// WouldCompare is the outcome of what Dry leaves out.
const WouldCompare verify.Outcome = "would"

// ErrVerifying says that the job's copies are being compared already.
var ErrVerifying = errors.New("another verify of this job is active")

const (
	// longestDigest is how long a far side may take for one digest: some
	// datasets take days to read.
	longestDigest = 7 * 24 * time.Hour
	// writeEvery is how often what was found is written while more is compared.
	writeEvery = 10 * time.Second
	// maxRelisted is how often a dataset is looked at again whose snapshot was
	// pruned before it was read.
	maxRelisted = 2
)

// Do compares. It may run beside the job's runs: it changes nothing but its own
// note.
func (v *Verify) Do(ctx context.Context) (err error) {
	r := v.Run
	file, err := lock(ctx, r.Global.RunDir, r.Job.Name+"+verify") // no job has such a name
	if errors.Is(err, ErrRunning) {
		err = ErrVerifying
	}
	if err != nil {
		return err
	}
	defer file.Close()
	files, endRates, err := rates(r.Global, r.Job)
	if err != nil {
		return err
	}
	defer endRates()
	copies, err := r.pairs(ctx, r.Say)
	if err != nil {
		return err
	}
	programs := r.Programs
	programs.rates, programs.reply, programs.reads = files, longestDigest, reading.In(r.Global.RunDir)
	sender, receiver, closeAll, err := programs.ends(r.Job, "", r.state(), file)
	if err != nil {
		return err
	}
	defer closeAll()
	ends := verify.Ends{}
	for to, end := range map[*verify.Digester]any{&ends.Sender: sender, &ends.Receiver: receiver} {
		*to = end.(verify.Digester)
	}
	return v.compare(ctx, ends, copies)
}

// pairs lists the copies of a job. It has connections of its own: a list may not
// take as long as a digest.
func (r *Run) pairs(ctx context.Context, say func(string)) (replicate.Copies, error) {
	if err := r.chooseSome(ctx); err != nil {
		return replicate.Copies{}, err
	}
	sender, receiver, closeAll, err := r.Programs.ends(r.Job, "", r.state())
	if err != nil {
		return replicate.Copies{}, err
	}
	defer closeAll()
	j := &replicate.Job{Sender: sender, Receiver: receiver, Named: named(r.Job), Targets: targetsHere(r.Job), Say: say}
	return j.Pairs(ctx)
}

// compare compares copies, and notes what it finds. What cannot be noted does not
// stop it, nor does a connection that is lost once.
func (v *Verify) compare(ctx context.Context, ends verify.Ends, copies replicate.Copies) (err error) {
	v.notes = v.Run.verifyNotes(v.Dry)
	v.list(copies)
	chosen, err := v.choose(copies.Pairs)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, v.notes.close(v.listed)) }()
	var lost error
	for _, p := range chosen {
		if now, ok := v.listed[p.Target]; ok {
			if now.Gone && !p.Gone {
				now.Why, now.Wrong = copyDestroyed, true
			}
			p = now
		}
		err := v.one(ctx, ends, p)
		if link := (*transfer.LinkError)(nil); errors.As(err, &link) && lost == nil && ctx.Err() == nil {
			lost = err
			err = v.Each(verify.Result{Source: p.Source, Target: p.Target, Outcome: verify.Cannot, Why: "the connection was lost: " + lost.Error()})
		}
		if err != nil {
			return err
		}
	}
	return cmp.Or(v.orphans(), lost)
}

const copyDestroyed = "the copy was destroyed meanwhile"

// list takes a list of all copies. What can have none has no target.
func (v *Verify) list(copies replicate.Copies) {
	v.listed = make(map[string]replicate.Pair, len(copies.Pairs))
	for _, p := range copies.Pairs {
		if p.Target != "" {
			v.listed[p.Target] = p
		}
	}
	v.notes.forget(v.listed, copies.Gone)
}

// one compares one dataset.
func (v *Verify) one(ctx context.Context, ends verify.Ends, p replicate.Pair) error {
	switch {
	case p.Why != "":
		return v.Each(nothing(p))
	case v.Dry:
		return v.would(p)
	}
	before := v.notes.tried(p.Target)
	end := v.notes.begin(p)
	defer end()
	var all []verify.Result
	relisted := 0
	for todo := v.bases(p); len(todo) > 0; {
		r, err := ends.Compare(ctx, p, todo[0])
		if err != nil {
			return err
		}
		if r.Outcome == verify.Skipped {
			was := todo[0]
			if p, err = v.again(ctx, p, was, &r); err != nil {
				return err
			}
			if relisted++; r.Outcome == verify.Skipped && !v.Deep && relisted <= maxRelisted && len(p.Common) > 0 {
				todo = v.bases(p)
				continue
			}
		}
		todo, all = todo[1:], append(all, r)
		v.notes.found(p, all, before)
		if err := v.Each(r); err != nil {
			return err
		}
	}
	return nil
}

// bases are the snapshots of a copy that are compared.
func (v *Verify) bases(p replicate.Pair) []plan.Base {
	if !v.Deep {
		return p.Common[:1]
	}
	return p.Common
}

// nothing says why a copy is not compared.
func nothing(p replicate.Pair) verify.Result {
	r := verify.Result{Source: p.Source, Target: p.Target, Outcome: verify.Skipped, Why: p.Why}
	if p.Wrong {
		r.Outcome = verify.Cannot
	}
	return r
}

// would says what would be compared.
func (v *Verify) would(p replicate.Pair) error {
	for _, base := range v.bases(p) {
		r := verify.Result{Source: p.Source, Target: p.Target, Snapshot: base.Sender.Name, GUID: base.Sender.GUID,
			Copy: base.Receiver.Name, Outcome: WouldCompare, Why: v.notes.last(p.Target)}
		if err := v.Each(r); err != nil {
			return err
		}
	}
	return nil
}

// again lists all copies again after an end did not find a snapshot, which was
// pruned most likely. Otherwise it makes a failure of r.
func (v *Verify) again(ctx context.Context, p replicate.Pair, base plan.Base, r *verify.Result) (replicate.Pair, error) {
	copies, err := v.Run.pairs(ctx, func(string) {})
	if link := (*transfer.LinkError)(nil); ctx.Err() != nil || errors.As(err, &link) {
		return p, cmp.Or(ctx.Err(), err)
	}
	fail := func(why string) {
		r.Outcome, r.Unread, r.Why = verify.Cannot, true, why
	}
	if err != nil {
		fail(err.Error())
		return p, nil
	}
	v.list(copies)
	now, ok := v.listed[p.Target]
	switch {
	case !ok:
		fail("the source was destroyed meanwhile, or its pool exported")
		return p, nil
	case now.Gone:
		fail(copyDestroyed)
	case now.Wrong:
		fail(now.Why)
	case slices.ContainsFunc(now.Common, func(b plan.Base) bool { return b.Receiver.GUID == base.Receiver.GUID }):
		fail(strings.Replace(r.Why, "the snapshot was destroyed meanwhile", "the snapshot is listed, and cannot be found", 1))
	}
	return now, nil
}

// orphans names the copies that are known to differ and that the source does not
// have any more, so that nothing can be compared.
func (v *Verify) orphans() error {
	for _, o := range v.notes.orphans(v.listed) {
		if v.Pass != nil && !v.Pass(o.Source) {
			continue
		}
		if err := v.Each(o); err != nil {
			return err
		}
	}
	return nil
}
