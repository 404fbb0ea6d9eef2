package job

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/endpoint"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
)

// far are the copies of a push job, at its sink, which must allow that they are
// given back.
type far struct {
	*Restore
	back endpoint.RemoteBack // without a run until something is to be held or sent
	pool func(run string) *endpoint.Pool
	seen map[string]transfer.Dataset // what the last look listed
}

// far reports whether the job's copies are at the far side of its connection.
func (r *Restore) far() bool { return r.Run.Job.Type == config.Push }

// over says where a command about the copies is to be run.
func (r *Restore) over(command string) string {
	if r.far() {
		return "on the sink's host: " + command
	}
	return command
}

// word is a dataset's name for a shell: it may have spaces.
func word(name string) string {
	if strings.Contains(name, " ") {
		return "'" + name + "'"
	}
	return name
}

// beginFar keeps the job's own runs away: a sink serves one run of a client, and
// a newer one ends what is under way. The job's rates are kept, too.
func (r *Restore) beginFar(ctx context.Context) (err error) {
	if r.jobLock, err = lock(ctx, r.Run.Global.RunDir, r.Run.Job.Name); err != nil {
		return err
	}
	r.programs = r.Run.Programs
	if r.programs.rates, r.endRates, err = rates(r.Run.Global, r.Run.Job); err != nil {
		r.jobLock.Close()
	}
	return err
}

// open says where the copies are.
func (r *Restore) open() {
	if !r.far() {
		r.from = here{r}
		return
	}
	j, p := r.Run.Job, r.Run.Programs
	p.say = r.Run.Say
	pool := func(run string) *endpoint.Pool {
		return &endpoint.Pool{Job: j.Name, Run: run, Role: endpoint.SinkRole, Compress: p.compress(j), Say: func(text string) { p.once(j, text) },
			Lists: endpoint.Limits{Datasets: j.Limits.Datasets, Snapshots: j.Limits.Snapshots},
			Dial:  func(ctx context.Context) (*endpoint.Link, error) { return dial(ctx, j, p.Daemon, p.reply) }}
	}
	r.from = &far{Restore: r, pool: pool, back: endpoint.RemoteBack{Pool: pool("")}}
}

// act begins a run, without which a sink changes and sends nothing. A restore
// that comes to nothing before that is none: any sink would note its connection as
// a run of the job, and take the copies for fresh.
func (f *far) act() {
	if f.back.Run == "" {
		f.back.Close() // the client may be allowed one connection
		f.back.Pool = f.pool(runID())
	}
}

func (f *far) close() {
	f.back.Close()
	if f.endRates != nil {
		f.endRates()
	}
}

func (f *far) find(ctx context.Context) (string, bool, error) {
	all, err := f.back.Targets(ctx, []string{f.Dataset})
	copy, ok := all[f.Dataset]
	return copy, ok, err
}

// look lists all copies that the client has there.
func (f *far) look(ctx context.Context) error {
	list, err := f.back.Copies(ctx, transfer.CopiesRequest{Target: f.Target})
	if err != nil {
		return err
	}
	f.seen = map[string]transfer.Dataset{}
	for _, d := range list {
		f.seen[d.Name] = d
	}
	return nil
}

func (f *far) list(ctx context.Context) (parts []*RestorePart, err error) {
	if err := f.look(ctx); err != nil {
		return nil, err
	}
	return f.listed()
}

// listed is what the last look listed of the copy and those below.
func (f *far) listed() (parts []*RestorePart, err error) {
	for name, d := range f.seen {
		if name != f.copy && !(f.Recursive && dataset.Within(name, f.copy)) {
			continue
		}
		p := farPart(d)
		if d.Illegal != "" {
			return nil, errors.New("the far side lists a copy that cannot be: " + d.Illegal)
		}
		parts = append(parts, p)
	}
	if _, ok := f.seen[f.copy]; !ok { // what is below it would be made below a target that nobody has judged
		return nil, nil
	}
	slices.SortFunc(parts, func(a, b *RestorePart) int { return strings.Compare(a.Copy, b.Copy) })
	return parts, nil
}

// farPart is what a sink says of a copy. See partOf.
func farPart(d transfer.Dataset) *RestorePart {
	p := &RestorePart{Copy: d.Name, volume: d.Volume, carrier: (d.Marked || d.Placeholder) && d.Partial == nil}
	if d.Copy { // what others made there is not given back
		p.snapshots = slices.DeleteFunc(slices.Clone(d.Versions), func(v dataset.Version) bool { return v.Kind != dataset.Snapshot })
	}
	opts, err := dataset.ParseSendOptions(d.Recorded)
	p.plain = d.Encrypted && err == nil && !opts.Raw
	if p.raw = d.Encrypted && !p.plain; p.plain && !d.KeyLoaded {
		p.keyAt = d.KeyRoot
	}
	return p
}

func (f *far) taken(_ context.Context, names []string, each func(string, uint64)) error {
	for _, name := range names {
		ds, _, _ := dataset.Split(name)
		each(name, f.seen[ds].Taken)
	}
	return nil
}

func (f *far) tagged(ctx context.Context) (names []string, err error) {
	if err := f.look(ctx); err != nil {
		return nil, err
	}
	for _, d := range f.seen {
		for short := range d.Held {
			names = append(names, d.Name+"@"+short)
		}
	}
	slices.Sort(names)
	return names, nil
}

func (f *far) hold(ctx context.Context, parts []*RestorePart) (map[string]error, error) {
	in := transfer.Pins{Target: f.Target}
	for _, p := range parts {
		in.Hold = append(in.Hold, transfer.Snap{Dataset: p.Copy, Name: p.snapshot.Name, GUID: p.snapshot.GUID})
	}
	return f.pin(ctx, in, in.Hold)
}

func (f *far) release(ctx context.Context, names []string) (map[string]error, error) {
	in := transfer.Pins{Target: f.Target}
	for _, name := range names {
		ds, _, short := dataset.Split(name)
		in.Release = append(in.Release, transfer.Snap{Dataset: ds, Name: short})
	}
	return f.pin(ctx, in, in.Release)
}

func (f *far) pin(ctx context.Context, in transfer.Pins, snaps []transfer.Snap) (map[string]error, error) {
	f.act()
	problems, err := f.back.Pin(ctx, in)
	bad := map[string]error{}
	for _, s := range snaps {
		if err := problems[s.Dataset].Err(); err != nil {
			bad[s.Full()] = err
		}
	}
	return bad, err
}

// confirm: the sink looks at the guids when it holds.
func (f *far) confirm(context.Context, []*RestorePart) error { return nil }

func (f *far) send(ctx context.Context, p *RestorePart) (*transfer.Stream, error) {
	f.act()
	return f.back.Restore(ctx, p.request())
}

func (f *far) size(ctx context.Context, p *RestorePart) uint64 {
	sizes, err := f.back.Sizes(ctx, []transfer.SendRequest{p.request()})
	if err != nil || len(sizes) == 0 {
		return 0
	}
	return sizes[0]
}
