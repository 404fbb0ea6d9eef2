package job

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/clean"
	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/endpoint"
	"github.com/zrepl-tools/zrepl-tools/lib/plan"
	"github.com/zrepl-tools/zrepl-tools/lib/plural"
	"github.com/zrepl-tools/zrepl-tools/lib/progress"
	"github.com/zrepl-tools/zrepl-tools/lib/replicate"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
)

// ImportSeed makes a job's first copies of a file that Export wrote. It is a run of
// the job whose sender is the file.
//
// It promises to change no dataset that has snapshots. What it has not made, a
// second import makes. It is not a run of the job for those who ask how the job is:
// it says nothing of what the source has by now.
type ImportSeed struct {
	Run *Run
	In  io.Reader

	seed     *endpoint.Seed
	receiver *endpoint.Receiver
}

// importPart is the name of an import in the history of runs.
const importPart = "import-seed"

// Plan returns what would be done, with the size of each stream.
func (i *ImportSeed) Plan(ctx context.Context) ([]plan.Result, [][]uint64, error) {
	if err := i.open(ctx); err != nil {
		return nil, nil, err
	}
	i.receiver = i.Run.Programs.receiver(i.Run.Job, i.Run.state())
	results, _, err := i.sortOut(ctx)
	if err != nil || len(i.seed.Datasets()) == 0 {
		return results, make([][]uint64, len(results)), err
	}
	more, sizes, err := i.engine(i.receiver).PlanSizes(ctx)
	for _, p := range more {
		for k := range p.Steps {
			if s := &p.Steps[k]; s.Kind == plan.Resume {
				s.Kind, s.Reason = plan.Full, "the file has all of the stream; before that, the partial receive is discarded"
			}
		}
	}
	return append(results, more...), append(make([][]uint64, len(results)), sizes...), err
}

// Do imports. The error is ErrRunning, ErrServed, or a *DatasetsError if only some
// datasets failed, or says why nothing could be done.
func (i *ImportSeed) Do(ctx context.Context) error {
	if err := i.open(ctx); err != nil {
		return err
	}
	r := i.Run
	lock, done, err := i.keepAway(ctx)
	if err != nil {
		return err
	}
	defer done()
	if r.Tracker == nil {
		r.Tracker = &progress.Tracker{}
	}
	started := time.Now()
	if err := noteSeeding(r.state(), r.Job.Name, started); err != nil {
		return err
	}
	if err = i.do(ctx, lock); err == nil && ctx.Err() == nil {
		err = r.state().Remove(seedingName(r.Job.Name))
	}
	if i.Run.Job.Serve != nil {
		err = errors.Join(err, i.noteCovered())
	}
	return errors.Join(err, i.log(ctx, started, err))
}

// open reads the file's list, and refuses a file of another kind of job.
func (i *ImportSeed) open(ctx context.Context) (err error) {
	j := i.Run.Job
	i.seed, err = endpoint.OpenSeed(ctx, i.In, endpoint.Limits{Datasets: j.Limits.Datasets, Snapshots: j.Limits.Snapshots}, j.Stall)
	if err != nil {
		return err
	}
	from := map[config.Type]config.Type{config.Pull: config.Source, config.PushSink: config.Push, config.Local: config.Local}[j.Type]
	head := i.seed.Head
	switch {
	case head.Role != string(from):
		return fmt.Errorf("the file is of a job of type %s, and a job of type %s needs one of a job of type %s", quote(clean.Name(head.Role)), j.Type, from)
	case j.Type == config.Local && head.Job != j.Name:
		return fmt.Errorf("the file is of job %s", quote(clean.Name(head.Job)))
	case len(i.seed.Datasets()) == 0:
		return errors.New("the file has no dataset")
	}
	client := ""
	if head.Client != "" {
		client = fmt.Sprintf(" for client %s", quote(clean.Name(head.Client)))
	}
	if j.Type == config.Pull && firstPolicy(j).Initial == plan.Every {
		i.Run.tell("the file has the newest snapshot of each dataset: initial_repl_policy: all brings no older ones of what is imported")
	}
	i.Run.tell(fmt.Sprintf("the file was made at %s by job %s%s", head.Made.UTC().Format(time.RFC3339), quote(clean.Name(head.Job)), client))
	return nil
}

// keepAway keeps runs of the job, or of its client, away.
func (i *ImportSeed) keepAway(ctx context.Context) (inherit []*os.File, done func(), err error) {
	if j := i.Run.Job; j.Serve != nil {
		done, err = KeepClientAway(ctx, i.Run.Global.RunDir, j.Clients()[0])
		return nil, done, err
	}
	file, err := lock(ctx, i.Run.Global.RunDir, i.Run.Job.Name)
	if err != nil {
		return nil, nil, err
	}
	return []*os.File{file}, func() { file.Close() }, nil
}

// do imports what is not there.
func (i *ImportSeed) do(ctx context.Context, inherit []*os.File) error {
	r := i.Run
	i.receiver = r.Programs.receiver(r.Job, r.state(), inherit...)
	results, protect, err := i.sortOut(ctx)
	if err != nil {
		return err
	}
	i.show(results)
	if err := i.protect(ctx, protect); err != nil {
		return err
	}
	// The next run looks at all that is held: it knows nothing of this one.
	os.Remove(markPath(r.Global.RunDir, r.Job.Name))
	if len(i.seed.Datasets()) == 0 {
		r.tell("the streams of the file were not read: nothing needs them")
		return i.failed(nil)
	}
	err = i.engine(endpoint.SeedReceiver{Receiver: i.receiver, Seed: i.seed, Say: r.tell}).Run(ctx)
	if ctx.Err() != nil {
		return err
	}
	if err == nil || errors.Is(err, replicate.ErrIncomplete) {
		err = errors.Join(i.failed(err), i.seed.Finish(ctx))
	}
	return err
}

// failed makes an error of the datasets that failed.
func (i *ImportSeed) failed(err error) error {
	if all := i.Run.failures(); len(all) > 0 {
		return &DatasetsError{all}
	}
	return err
}

// engine replicates from the file, one stream after another as they are there.
func (i *ImportSeed) engine(receiver replicate.Receiver) *replicate.Job {
	r := i.Run
	p := firstPolicy(r.Job)
	p.Once = true
	return &replicate.Job{Sender: i.seed, Receiver: receiver, Policy: p, Parallel: 1, Partial: true,
		Targets: targetsHere(r.Job), Tracker: r.Tracker, Say: r.tell, Estimate: r.Watched}
}

// sortOut takes the datasets out of the file's list that have a copy: those whose
// copy has what the file brings, and those whose copy has not. It returns a result
// for each, and what the bases of the former need.
func (i *ImportSeed) sortOut(ctx context.Context) (results []plan.Result, protect transfer.Holds, err error) {
	var names []string
	sources := map[string]transfer.Dataset{}
	for _, d := range i.seed.Datasets() {
		if d.Illegal == "" && dataset.CheckName(d.Name) == nil {
			names, sources[d.Name] = append(names, d.Name), d
		}
	}
	targets, err := i.receiver.Targets(ctx, names)
	if err != nil {
		return nil, protect, err
	}
	there, err := i.receiver.List(ctx, transfer.ListRequest{})
	if err != nil {
		return nil, protect, err
	}
	at := map[string]transfer.Dataset{}
	for _, t := range there {
		at[t.Name] = t
	}
	if outside := len(names) - len(targets); outside > 0 {
		i.Run.tell(fmt.Sprintf("outside the job's rules: %s of the file", plural.Of(outside, "dataset")))
	}
	leave := map[string]bool{}
	for _, name := range names {
		target, mapped := targets[name]
		t, exists := at[target]
		if !mapped || !exists || t.Above || len(t.Versions) == 0 {
			continue
		}
		leave[name] = true
		result, base := judgeThere(sources[name], t)
		results = append(results, result)
		if base.GUID != 0 {
			protect.Hold = append(protect.Hold, transfer.Snap{Dataset: target, Name: base.Name, GUID: base.GUID})
			if t.Marked {
				protect.Unmark = append(protect.Unmark, target)
			}
		}
	}
	i.seed.Leave(leave)
	return results, protect, nil
}

// judgeThere judges a target that has snapshots. Base is to be held, if it is the
// newest of them: an import that was killed may not have come to it.
func judgeThere(source, target transfer.Dataset) (result plan.Result, base dataset.Version) {
	brings := source.Versions[0]
	result = plan.Result{Source: source.Name, Target: target.Name}
	versions := slices.DeleteFunc(slices.Clone(target.Versions), func(v dataset.Version) bool { return v.Kind != dataset.Snapshot })
	dataset.Sort(versions)
	at := slices.IndexFunc(versions, func(v dataset.Version) bool { return v.GUID == brings.GUID })
	switch {
	case at < 0:
		result.Conflict = &plan.Conflict{Reason: plan.HasCopy,
			Text: fmt.Sprintf("it has snapshots already, the newest %s, and the file is for first copies: run the job", versions[len(versions)-1])}
	default:
		result.Base = &plan.Base{Sender: brings, Receiver: versions[at]}
		if at == len(versions)-1 {
			base = versions[at]
		}
	}
	return result, base
}

// show tells what is done with what sortOut has found. A file cannot know whether a
// copy without its snapshot is related to it: the job's next run will.
func (i *ImportSeed) show(results []plan.Result) {
	var other []string
	for _, p := range results {
		i.Run.Tracker.Update(p.Target, func(d *progress.Dataset) {
			d.Source, d.Target, d.State = p.Source, p.Target, progress.UpToDate
			if p.Conflict != nil {
				d.Reason = string(p.Conflict.Reason)
			} else {
				d.To = p.Base.Sender.Name
			}
		})
		if p.Conflict != nil {
			other = append(other, p.Target)
		}
	}
	if len(other) > 0 {
		more := ""
		if n := len(other) - 1; n > 0 {
			more = fmt.Sprintf(" (and %d more)", n)
		}
		i.Run.tell(fmt.Sprintf("the file is for first copies, and %q%s has snapshots already, but not the file's: it stays as it is, and the job continues it if it can", other[0], more))
	}
}

// protect holds what an earlier import has brought.
func (i *ImportSeed) protect(ctx context.Context, in transfer.Holds) error {
	if len(in.Hold) == 0 {
		return nil
	}
	in.Confirm, in.Together = true, true
	bad, err := i.receiver.Protect(ctx, in)
	if err != nil {
		return fmt.Errorf("cannot hold what is there: %w", err)
	}
	for _, s := range in.Hold {
		if err := bad[s.Dataset].Err(); err != nil {
			i.Run.Tracker.Update(s.Dataset, func(d *progress.Dataset) { d.State, d.Error = progress.Failed, err.Error() })
		}
	}
	return nil
}

// noteCovered notes what a client has here.
func (i *ImportSeed) noteCovered() error {
	var names []string
	for _, d := range i.Run.Tracker.Snapshot().Datasets {
		if d.To != "" {
			names = append(names, d.Target)
		}
	}
	return updateSessions(i.Run.state(), i.Run.Job.Clients()[0], func(s *sessions) { s.cover(names) })
}

// log adds the import to the history of the job's runs.
func (i *ImportSeed) log(ctx context.Context, started time.Time, err error) error {
	r := i.Run
	if r.Job.Serve != nil { // nobody else may write it meanwhile
		file, busy := lock(ctx, r.Global.RunDir, r.Job.Name)
		if busy != nil {
			return nil
		}
		defer file.Close()
	}
	r.Part = importPart
	return logRuns(r.state(), r.Job.Name, r.past(progress.At(started), progress.At(time.Now()), err, ctx.Err() != nil))
}
