package job

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/endpoint"
	"github.com/zrepl-tools/zrepl-tools/lib/fault"
	"github.com/zrepl-tools/zrepl-tools/lib/plan"
	"github.com/zrepl-tools/zrepl-tools/lib/replicate"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
)

// Export writes what a job would send first of each of its datasets into a file, of
// which ImportSeed makes the copies.
//
// It protects what it writes as the job protects its bases, so that the first run
// after the import can continue from there. After an error nothing is protected
// that was not before.
type Export struct {
	Run    *Run
	Client string   // of a source
	Out    *os.File // it may be a pipe

	sender *endpoint.Sender
	parts  []*ExportPart
	fresh  []transfer.Snap // that this export holds, and nobody held before
}

// ExportPart is one dataset.
type ExportPart struct {
	Source string
	To     dataset.Version
	Size   uint64 // of its stream, about; 0: not known
	Wait   string // why it has nothing to send yet, which is no failure
	Err    error  // why it is not in the file, or not whole

	data transfer.Dataset
}

// sends reports whether a stream of it is to be written.
func (p *ExportPart) sends() bool { return p.Err == nil && p.Wait == "" }

func (p *ExportPart) snap() transfer.Snap {
	return transfer.Snap{Dataset: p.Source, Name: p.To.Name, GUID: p.To.GUID}
}

func (p *ExportPart) request() transfer.SendRequest {
	return transfer.SendRequest{Dataset: p.Source, To: p.To, Volume: p.data.Volume, Send: p.data.Send}
}

// Plan returns what would be written, and changes nothing.
func (e *Export) Plan(ctx context.Context) ([]*ExportPart, error) {
	e.sender = e.Run.Programs.sender(e.Run.Job, e.id(), e.Run.state())
	if err := e.look(ctx); err != nil {
		return nil, err
	}
	return e.parts, e.measure(ctx)
}

// id is whose the protection is.
func (e *Export) id() string {
	if e.Run.Job.Type == config.Source {
		return e.Client
	}
	return e.Run.Job.Name
}

// Do writes the file. The error is of the whole file; each part has its own.
func (e *Export) Do(ctx context.Context) ([]*ExportPart, error) {
	done, err := e.keepAway(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	e.sender = e.Run.Programs.sender(e.Run.Job, e.id(), e.Run.state())
	if err := e.look(ctx); err != nil {
		return nil, err
	}
	if err := e.measure(ctx); err != nil {
		return nil, err
	}
	if err := e.hold(ctx); err != nil {
		return e.parts, errors.Join(err, e.letGo(ctx, nil))
	}
	if !slices.ContainsFunc(e.parts, (*ExportPart).sends) {
		return e.parts, errors.Join(errors.New("no dataset has anything to export"), e.letGo(ctx, nil))
	}
	if err := e.write(ctx); err != nil {
		return e.parts, errors.Join(err, e.letGo(ctx, nil))
	}
	return e.parts, e.settle(ctx)
}

// keepAway keeps the job's runs away, or its client's: they release what they do
// not know.
func (e *Export) keepAway(ctx context.Context) (done func(), err error) {
	if e.Run.Job.Serve != nil {
		return KeepClientAway(ctx, e.Run.Global.RunDir, e.Client)
	}
	return KeepAway(ctx, e.Run.Global.RunDir, e.Run.Job.Name)
}

// nowhere is a receiver that has nothing, and takes all.
type nowhere struct{ replicate.Receiver }

const nowherePool = "x"

func (nowhere) List(context.Context, transfer.ListRequest) ([]transfer.Dataset, error) {
	return []transfer.Dataset{{Name: nowherePool, Above: true}}, nil
}

func (nowhere) Targets(_ context.Context, sources []string) (map[string]string, error) {
	targets := map[string]string{}
	for _, s := range sources {
		targets[s] = nowherePool + "/" + s
	}
	return targets, nil
}

func (nowhere) Takes(context.Context, struct{}) (transfer.Takes, error) { return transfer.Takes{}, nil }

// firstPolicy is a job's policy for copies that somebody makes by hand: that none
// may begin over the line does not forbid them.
func firstPolicy(j *config.Job) plan.Policy {
	p := policy(j)
	if p.Initial == plan.Refuse {
		p.Initial = plan.MostRecent
	}
	return p
}

// look plans what the job would send to a receiver that has nothing.
func (e *Export) look(ctx context.Context) error {
	j := &replicate.Job{Sender: e.sender, Receiver: nowhere{}, Policy: firstPolicy(e.Run.Job), Say: e.Run.Say}
	results, err := j.Plan(ctx)
	if err != nil {
		return err
	}
	list, err := e.sender.List(ctx, transfer.ListRequest{Thorough: true})
	if err != nil {
		return err
	}
	at := map[string]transfer.Dataset{}
	for _, d := range list {
		at[d.Name] = d
	}
	for _, res := range results {
		if res.Source == "" { // a placeholder
			continue
		}
		p := &ExportPart{Source: res.Source, data: at[res.Source]}
		switch c := res.Conflict; {
		case c != nil && c.Reason.Failure():
			p.Err = fmt.Errorf("%s: %s", c.Reason, c.Text)
		case c != nil:
			p.Wait = c.Text
		case len(res.Steps) == 0 || res.Steps[0].Kind != plan.Full || p.data.Name == "":
			p.Err = errors.New("its datasets have just been changed")
		default:
			p.To = *res.Steps[0].To
		}
		e.parts = append(e.parts, p)
	}
	return nil
}

// measure finds out how large the streams are, about.
func (e *Export) measure(ctx context.Context) error {
	var asked []*ExportPart
	for _, p := range e.parts {
		if p.sends() {
			asked = append(asked, p)
		}
	}
	for some := range slices.Chunk(asked, transfer.MaxSizes) {
		var in []transfer.SendRequest
		for _, p := range some {
			in = append(in, p.request())
		}
		sizes, err := e.sender.Sizes(ctx, in)
		if err != nil {
			return err
		}
		for i, p := range some {
			p.Size = sizes[i]
		}
	}
	return nil
}

// hold holds all that is to be written.
func (e *Export) hold(ctx context.Context) error {
	var snaps []transfer.Snap
	for _, p := range e.parts {
		if p.sends() {
			snaps = append(snaps, p.snap())
		}
	}
	if len(snaps) == 0 {
		return nil
	}
	e.noteNone(ctx)
	held, err := e.sender.Held(ctx, snaps)
	if err != nil {
		return err
	}
	e.fresh = slices.DeleteFunc(slices.Clone(snaps), func(s transfer.Snap) bool { return slices.Contains(held, s) })
	bad, err := e.sender.Protect(ctx, transfer.Holds{Hold: snaps, Confirm: true, Together: true})
	if err != nil {
		return fmt.Errorf("cannot hold the snapshots: %w", err)
	}
	for _, p := range e.parts {
		if err := bad[p.Source].Err(); err != nil && p.sends() {
			p.Err = err
		}
	}
	return nil
}

// noteNone notes that there is no copy of what was never sent: a hold without a note
// would look as if something had arrived, and the note were lost. Who cannot write
// there exports all the same.
func (e *Export) noteNone(ctx context.Context) {
	var in transfer.Holds
	for _, p := range e.parts {
		if d := p.data; p.sends() && d.Common == transfer.CommonUnknown && len(d.Held)+len(d.Marks)+len(d.Kept) == 0 {
			in.Common = append(in.Common, transfer.Snap{Dataset: p.Source})
		}
	}
	_, _ = e.sender.Protect(ctx, in)
}

// releaseTime is how long the release of what a failed export held may take.
const releaseTime = time.Minute

// letGo releases what this export holds, but for some datasets.
func (e *Export) letGo(ctx context.Context, except map[string]bool) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTime)
	defer cancel()
	snaps := slices.DeleteFunc(slices.Clone(e.fresh), func(s transfer.Snap) bool { return except[s.Dataset] })
	if len(snaps) == 0 {
		return nil
	}
	bad, err := e.sender.Protect(ctx, transfer.Holds{Release: snaps, Together: true})
	if err != nil {
		return fmt.Errorf("cannot release what the export held: %w", err)
	}
	var errs []error
	for _, s := range snaps {
		errs = append(errs, bad[s.Dataset].Err())
	}
	return errors.Join(errs...)
}

// settle leaves what is in the file protected as a base is, and nothing else. All
// must be there still: somebody may have released a hold meanwhile. The file is whole
// by now, and this little is done also if a signal comes.
func (e *Export) settle(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTime)
	defer cancel()
	good := map[string]bool{}
	for _, p := range e.parts {
		if p.sends() {
			good[p.Source] = true
		}
	}
	err := e.protect(ctx, func(snaps []transfer.Snap) transfer.Holds { return transfer.Holds{Hold: snaps} },
		"it is in the file, but the job cannot continue from it")
	if err == nil && e.sender.Bookmarks {
		err = e.protect(ctx, func(snaps []transfer.Snap) transfer.Holds { return transfer.Holds{Bookmark: snaps, Release: snaps} },
			"it is in the file, and the job can continue from it; but its hold stays until then, for want of a bookmark")
	}
	if err != nil {
		return errors.Join(fmt.Errorf("cannot keep what the job continues from: %w", err), e.letGo(ctx, nil))
	}
	return e.letGo(ctx, good)
}

// protect has all that is written protected somehow. Says is what it means for one
// dataset if that fails. Without the right to make bookmarks the holds stay for good.
func (e *Export) protect(ctx context.Context, how func([]transfer.Snap) transfer.Holds, says string) error {
	var snaps []transfer.Snap
	for _, p := range e.parts {
		if p.sends() {
			snaps = append(snaps, p.snap())
		}
	}
	in := how(snaps)
	in.Confirm, in.Together = true, true
	bad, err := e.sender.Protect(ctx, in)
	if err != nil {
		return err
	}
	for _, p := range e.parts {
		if err := bad[p.Source].Err(); err != nil && p.sends() && !errors.Is(err, fault.NoMark) {
			p.Err = fmt.Errorf("%s: %w", says, err)
		}
	}
	return nil
}
