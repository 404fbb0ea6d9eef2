package endpoint

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/child"
	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/digest"
	"github.com/zrepl-tools/zrepl-tools/lib/fault"
	"github.com/zrepl-tools/zrepl-tools/lib/rate"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
)

// Digest computes the digest of a snapshot that the job offers. What may not be
// sent as plain text has no digest as plain text: it would tell whether a guess
// at the contents is right.
func (s *Sender) Digest(ctx context.Context, in transfer.DigestRequest) (transfer.Digest, error) {
	if err := allowed(s.Datasets, in.Dataset); err != nil {
		return transfer.Digest{}, err
	}
	d := digesting{zfs: s.ZFS, stall: s.Stall, rates: s.Rates, reads: s.Reads, raw: func(ctx context.Context) (bool, error) {
		o, err := s.optionsNow(ctx, in.Dataset, in.Name, in.GUID, fault.Gone)
		return o.Raw, err
	}}
	return d.run(ctx, in)
}

// Digest computes the digest of a snapshot of one of the job's copies. For a
// client, a copy that is encrypted and did not come as plain text has none as
// plain text.
func (r *Receiver) Digest(ctx context.Context, in transfer.DigestRequest) (transfer.Digest, error) {
	if err := r.receives(in.Dataset); err != nil {
		return transfer.Digest{}, err
	}
	d := digesting{zfs: r.ZFS, stall: r.Stall, rates: r.Rates, reads: r.Reads, inherit: r.Inherit, raw: func(ctx context.Context) (bool, error) {
		if !r.served {
			return in.Raw, nil
		}
		list, err := r.ZFS.Datasets(ctx, []string{in.Dataset}, false, receiverProperties...)
		if err == nil && len(list) != 1 {
			err = fault.With(fault.Gone, fmt.Errorf("dataset %q does not exist", in.Dataset))
		}
		if err != nil {
			return false, err
		}
		t := received(list[0])
		return t.RawCopy(), nil
	}}
	return d.run(ctx, in)
}

// errOtherVersion is the word of either side of a call on the other one.
var errOtherVersion = errors.New("the other host computes digests of another version")

// digesting computes one digest.
type digesting struct {
	zfs     *zfs.ZFS
	stall   time.Duration
	rates   []string
	reads   func(snapshot string) (end func())
	inherit []*os.File
	raw     func(context.Context) (bool, error) // how the snapshot is to be read, as of now
}

// check refuses what no snapshot can be.
func (d *digesting) check(in transfer.DigestRequest) error {
	if in.Version != digest.Version {
		return errOtherVersion
	}
	if err := checkShort(in.Dataset, in.Name); err != nil {
		return err
	}
	if in.GUID == 0 {
		return errors.New("a request for a digest that names no guid")
	}
	if len(in.Groups) > digest.GroupCount {
		return fmt.Errorf("a request for %d groups of objects: there are %d", len(in.Groups), digest.GroupCount)
	}
	return nil
}

// permit refuses to read a snapshot otherwise than the policy says.
func (d *digesting) permit(ctx context.Context, in transfer.DigestRequest) error {
	raw, err := d.raw(ctx)
	words := map[bool]string{true: "as encrypted blocks", false: "as plain text"}
	if err == nil && raw != in.Raw {
		err = fmt.Errorf("dataset %q is read %s, not %s", in.Dataset, words[raw], words[in.Raw])
	}
	return err
}

// run reads the snapshot. The policy is asked once more at the end: another
// dataset may have taken the name meanwhile.
func (d *digesting) run(ctx context.Context, in transfer.DigestRequest) (out transfer.Digest, err error) {
	if err := errors.Join(d.check(in), ctx.Err()); err != nil {
		return out, err
	}
	if err := d.permit(ctx, in); err != nil {
		return out, err
	}
	to := dataset.Version{Kind: dataset.Snapshot, Name: in.Name, GUID: in.GUID}
	o := zfs.Sending{To: to, SendOptions: dataset.SendOptions{Raw: in.Raw, LargeBlocks: !in.Raw}}
	args, err := d.zfs.SendArgs(in.Dataset, o)
	if err != nil {
		return out, err
	}
	made := collection{}
	for _, group := range in.Groups {
		if group >= 0 && group < digest.GroupCount {
			made.told[group] = true
		}
	}
	if d.reads != nil {
		defer d.reads(in.Dataset + "@" + in.Name)()
	}
	result, err := d.read(ctx, args, made.add)
	switch {
	case err != nil:
		return out, err
	case result.GUID != in.GUID:
		return out, fault.With(fault.Gone, fmt.Errorf("dataset %q no longer has snapshot %q with guid %v", in.Dataset, in.Name, in.GUID))
	case result.Raw != in.Raw:
		return out, fmt.Errorf("dataset %q was replaced by another one", in.Dataset)
	}
	if err := d.permit(ctx, in); err != nil {
		return out, err
	}
	return transfer.Digest{Version: digest.Version, Sum: result.Sum.String(), Volume: result.Volume, BigEndian: result.BigEndian, Objects: result.Objects,
		Bytes: result.Bytes, Groups: made.sums.Bytes(), Each: made.each, More: made.more}, nil
}

// collection is what is told of objects.
type collection struct {
	told [digest.GroupCount]bool // groups whose objects are told
	sums digest.Groups
	each []transfer.ObjectDigest
	more bool
}

func (c *collection) add(o digest.Object) error {
	c.sums.Add(o)
	switch {
	case !c.told[digest.GroupOf(o.Number)]:
	case len(c.each) == transfer.MaxObjects:
		c.more = true
	default:
		c.each = append(c.each, transfer.ObjectDigest{Object: o.Number, Sum: o.Sum.String()})
	}
	return nil
}

// read runs a zfs send and reads all that it writes.
func (d *digesting) read(parent context.Context, args []string, each func(digest.Object) error) (result digest.Result, err error) {
	limits, err := rate.OpenAll(d.rates)
	if err != nil {
		return result, err
	}
	defer limits.Close()
	f := &flow{limit: d.stall}
	watched, stop := f.watch(parent)
	defer stop()
	ctx, cancel := context.WithCancel(watched)
	defer cancel()
	r, w, err := child.PollablePipe()
	if err != nil {
		return result, err
	}
	defer r.Close()
	var said child.Tail
	p, err := child.Start(ctx, child.Cmd{Args: args, Env: append(os.Environ(), "LC_ALL=C"), Stdout: w, Stderr: &said,
		Extra: d.inherit, Group: true, Guard: true})
	w.Close()
	if err != nil {
		return result, err
	}
	context.AfterFunc(ctx, func() { r.Close() }) // a zfs send that does not end keeps the pipe open
	in := &paced{ctx: ctx, in: r, limits: limits, flow: f}
	result, wrong := digest.Stream(in, each)
	if wrong != nil && !in.ended { // nobody reads what it still writes
		cancel()
	}
	if !ended(watched, p) {
		return digest.Result{}, cmp.Or(stalled(watched), parent.Err())
	}
	switch s := p.Wait(); {
	case parent.Err() != nil:
		return digest.Result{}, parent.Err()
	case stalled(watched) != nil:
		return digest.Result{}, stalled(watched)
	case !s.OK() && in.ended:
		return digest.Result{}, &zfs.Error{Args: args[1:], Code: s.Code, Stderr: s.Stderr, Err: s.Err}
	case wrong != nil:
		return digest.Result{}, fmt.Errorf("cannot compute the digest of what zfs send writes: %w", wrong)
	}
	return result, nil
}

// paced reads no faster than limits allow, and tells the flow.
type paced struct {
	ctx    context.Context
	in     io.Reader
	limits rate.All
	flow   *flow
	ended  bool // all was read
}

func (p *paced) Read(b []byte) (int, error) {
	most, _ := mayMove(p.ctx, p.limits)
	if err := p.ctx.Err(); err != nil {
		return 0, err
	}
	if most <= 0 { // the limits cannot be read
		most = len(b)
	}
	n, err := p.in.Read(b[:min(len(b), most)])
	p.flow.moved.Add(uint64(n))
	p.ended = errors.Is(err, io.EOF)
	p.limits.Spend(n)
	return n, err
}
