package endpoint

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/fault"
	"github.com/zrepl-tools/zrepl-tools/lib/property"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs/stream"
)

// Receiver is the receiving end of one job over this machine's ZFS. Its
// fields are set before it is used; it may then be used from several
// goroutines.
type Receiver struct {
	ZFS *zfs.ZFS
	Tag string // see cursor.LastTag
	// Map says where a sender's datasets go.
	Map func(source string) (target string, ok bool)
	// Roots are the datasets that the job may touch, with all below them. What
	// stands above is read, never changed.
	Roots []string
	// Below receives only below the roots, never into a root itself. What looks
	// after a sink leaves the root out: it is the administrator's.
	Below bool
	// Set are properties that every new copy gets, whatever the sender tells
	// and whatever would make it inert.
	Set map[string]string
	// Restores is the RestoreProperty that a new dataset gets, which is then no
	// copy; empty: it is one.
	Restores string
	// Take says which properties that a sender tells are taken.
	Take property.Rules
	// PlainPlaceholders allows placeholders without encryption below an
	// encrypted dataset whose key is not loaded.
	PlainPlaceholders bool
	// PlainCopies stores what is sent as plain text without encryption, also
	// below a dataset that is encrypted.
	PlainCopies bool
	// Renames lets a copy be renamed as its source was, with all below it, unless
	// it returns why that one may not be. Nil: none may be.
	Renames func(copied string) error
	// Asides are the conflicts for which a copy may be set aside. Shared returns
	// why one may not have another name; nil: nothing is known against that.
	Asides []string
	Shared func(copied string) error
	// Clones receives what is a clone on the source as a clone of its origin's copy.
	Clones bool
	// Stall is for how long nothing of a stream may move; 0: for ever.
	Stall time.Duration
	// Rates are files of limits that a stream within this host, and the reading
	// of a snapshot for its digest, share with others; see package rate.
	Rates []string
	// Reads is told a snapshot that is read for its digest, until end is called;
	// nil: nobody is.
	Reads func(snapshot string) (end func())
	// Decompress says that clients may compress streams with zstd(1), if this
	// host has it. RecvFrame must accept them.
	Decompress bool
	// RecvFrame is the zrecv-frame program with options, for framed streams.
	RecvFrame []string
	// Inherit are descriptors that programs which move a stream keep open,
	// such as the job's lock.
	Inherit []*os.File
	// Limits bound what the client may have.
	Limits Limits
	// Memory keeps what List has seen for later; nil: nothing is kept.
	Memory Memory
	// Back gives the client back what it has sent; nil: nothing is given.
	Back *Back

	census census
	served bool // it serves a client
}

// allowed refuses a dataset that the job may not look at.
func (r *Receiver) allowed(name string) error {
	if err := dataset.CheckName(name); err != nil {
		return fmt.Errorf("bad dataset name: %w", err)
	}
	if !slices.ContainsFunc(r.Roots, func(root string) bool { return dataset.Within(name, root) }) {
		return fmt.Errorf("dataset %q: %w", name, errNotOffered)
	}
	return nil
}

// receives refuses a dataset that is not one of the job's copies: it may not be
// received into, changed or held.
func (r *Receiver) receives(name string) error {
	if err := r.allowed(name); err != nil {
		return err
	}
	if r.Below && slices.Contains(r.Roots, name) {
		return fmt.Errorf("dataset %q is the root itself, and this sink receives only below it: %w", name, errNotOffered)
	}
	return nil
}

// changes refuses what receives does, and what was set aside, with all below it:
// nothing more comes there, and no hold must keep it.
func (r *Receiver) changes(ctx context.Context, name string) error {
	if err := r.receives(name); err != nil {
		return err
	}
	return r.notAside(ctx, name)
}

func (r *Receiver) notAside(ctx context.Context, name string) error {
	if len(dataset.AsideAbove(name)) == 0 {
		return nil
	}
	all, err := Asides(ctx, r.ZFS, []string{name})
	if err != nil {
		return err
	}
	if top := asides(all).above(name); top != "" {
		return fmt.Errorf("%q was set aside: it stays as it is", top)
	}
	return nil
}

// Targets says where datasets of the sender go.
func (r *Receiver) Targets(_ context.Context, sources []string) (map[string]string, error) {
	targets := map[string]string{}
	for _, s := range sources {
		if err := dataset.CheckName(s); err != nil {
			return nil, fmt.Errorf("bad dataset name: %w", err)
		}
		if t, ok := r.Map(s); ok {
			targets[s] = t
		}
	}
	return targets, nil
}

var receiverProperties = []string{"canmount", "mountpoint", "encryption", "encryptionroot", "keystatus", "receive_resume_token", "written", "available",
	PlaceholderProperty, SendProperty, SettingsProperty, ZreplPlaceholder, AsideProperty}

// List returns the datasets below the job's roots, and what stands above a
// root that does not exist. It costs two commands, one more for such a root,
// and two more if it is to be thorough.
func (r *Receiver) List(ctx context.Context, in transfer.ListRequest) ([]transfer.Dataset, error) {
	roots, recursive := r.Roots, true
	if len(in.Datasets) > 0 {
		for _, name := range in.Datasets {
			if err := r.allowed(name); err != nil {
				return nil, err
			}
		}
		roots, recursive = in.Datasets, false
	}
	if len(roots) == 0 {
		return nil, nil
	}
	l := listing{zfs: r.ZFS, roots: roots, recursive: recursive, properties: receiverProperties,
		memory: r.Memory, fresh: in.Fresh || in.Thorough}
	if in.Thorough {
		l.tag = r.Tag
	}
	if err := l.run(ctx); err != nil {
		return nil, err
	}
	there, asides := map[string]bool{}, asidesIn(l.datasets)
	var out []transfer.Dataset
	for _, d := range l.datasets {
		there[d.Name] = true
		if top := asides.above(d.Name); top != "" {
			if top == d.Name {
				out = append(out, transfer.Dataset{Name: top, Aside: asides[top]})
			}
			continue
		}
		t := received(d)
		t.Versions, t.Held = l.versions[d.Name], transfer.Names(l.held[d.Name]...)
		t.Settled = r.settled(d.Properties[SettingsProperty])
		out = append(out, t)
	}
	above, err := r.above(ctx, roots, there)
	if err == nil && len(r.Asides) > 0 && recursive {
		var beside []transfer.Dataset
		beside, err = r.besideRoots(ctx)
		out = append(out, beside...)
	}
	return append(above, out...), err
}

func received(d zfs.Dataset) transfer.Dataset {
	p := d.Properties
	t := transfer.Dataset{Name: d.Name, Volume: d.Type == "volume", Encrypted: encrypted(d), KeyRoot: keyRoot(d),
		KeyLoaded: p["keystatus"].Value == "available",
		Partial:   partial(p["receive_resume_token"].Value),
		Recorded:  p[SendProperty].Value}
	mark, mounts := p[PlaceholderProperty], p["canmount"].Value
	t.Marked = mark.Value == "on" && mark.Source == "local"
	// As it was made, or as a receive that was cut has left it: nobody has put it to use.
	t.Placeholder = t.Marked && (mounts == "off" || mounts == "noauto") && p["mountpoint"].Value == "none"
	t.Marked = t.Marked || zreplMarked(d)
	t.Placeholder = t.Placeholder || zreplPlaceholder(d)
	if t.Copy = p[SendProperty].Source == "local"; !t.Copy {
		t.Recorded = "" // of the dataset above
	}
	t.Available, _ = strconv.ParseUint(p["available"].Value, 10, 64)
	t.Written, _ = strconv.ParseUint(p["written"].Value, 10, 64)
	return t
}

// partial reads the token of a cut receive; "-" stands for none.
func partial(text string) *transfer.Partial {
	if text == "" || text == "-" {
		return nil
	}
	t, err := stream.DecodeToken(text)
	if err != nil {
		return &transfer.Partial{Bad: err.Error()}
	}
	p := partialOf(t)
	p.Token = text
	if t.Saved || t.Redacted {
		p.Bad = "it is of a redacted or a saved stream"
	}
	return &p
}

// partialOf is what a token says, for both ends.
func partialOf(t stream.Token) transfer.Partial {
	of, _, name := dataset.Split(t.ToName)
	return transfer.Partial{Of: of, Name: name, To: t.ToGUID, From: t.FromGUID, Bytes: t.Bytes,
		Raw: t.Raw, Large: t.Large, Embedded: t.Embedded, Compressed: t.Compressed}
}

// above reads what stands above the roots that are missing.
func (r *Receiver) above(ctx context.Context, roots []string, there map[string]bool) ([]transfer.Dataset, error) {
	var names []string
	for _, root := range roots {
		if there[root] {
			continue
		}
		for p := dataset.Parent(root); p != "" && !there[p]; p = dataset.Parent(p) {
			names, there[p] = append(names, p), true
		}
	}
	if len(names) == 0 {
		return nil, nil
	}
	list, err := r.ZFS.Datasets(ctx, names, false, receiverProperties...)
	if err := zfs.Present(err); err != nil {
		return nil, err
	}
	var out []transfer.Dataset
	for _, d := range list {
		t := received(d)
		t.Above = true
		out = append(out, t)
	}
	return out, nil
}

// Since returns how many bytes were written to each dataset since a snapshot
// of its own. What can't be found out is not in the answer.
func (r *Receiver) Since(ctx context.Context, in []transfer.Snap) (map[string]uint64, error) {
	for _, s := range in {
		if err := r.allowed(s.Dataset); err != nil {
			return nil, err
		}
		if err := dataset.CheckShort(s.Name); err != nil {
			return nil, fmt.Errorf("bad snapshot name: %w", err)
		}
	}
	out := map[string]uint64{}
	for len(in) > 0 {
		n := min(len(in), sinceBatch)
		if err := r.since(ctx, in[:n], out); err != nil {
			return nil, err
		}
		in = in[n:]
	}
	return out, nil
}

// sinceBatch is how many datasets one command asks about: each may name a
// property of its own, which all are asked for.
const sinceBatch = 100

func (r *Receiver) since(ctx context.Context, in []transfer.Snap, out map[string]uint64) error {
	var o zfs.GetOptions
	for _, s := range in {
		o.Names = append(o.Names, s.Dataset)
		o.Properties = append(o.Properties, "written@"+s.Name)
	}
	slices.Sort(o.Properties)
	o.Properties = slices.Compact(o.Properties)
	got, err := r.ZFS.Get(ctx, o)
	if err := zfs.Present(err); err != nil {
		return err
	}
	for _, s := range in {
		if n, err := strconv.ParseUint(got[s.Dataset]["written@"+s.Name].Value, 10, 64); err == nil {
			out[s.Dataset] = n
		}
	}
	return nil
}

// Placeholder makes an empty dataset, not mounted, that only carries others:
// below a root, or where one is missing above it. That it is not to be
// encrypted can be asked for; it is so only where this end's configuration
// allows it, and nothing else works.
func (r *Receiver) Placeholder(ctx context.Context, in transfer.Placeholder) error {
	above := func(root string) bool { return dataset.Within(root, in.Dataset) }
	if err := r.allowed(in.Dataset); err != nil && !slices.ContainsFunc(r.Roots, above) {
		return err
	}
	if err := r.notAside(ctx, in.Dataset); err != nil {
		return err
	}
	if err := r.limitPlaceholder(ctx, in.Dataset); err != nil {
		return err
	}
	props := map[string]string{"mountpoint": "none", "canmount": "off", PlaceholderProperty: "on"}
	if in.Plain {
		locked, err := r.belowLocked(ctx, in.Dataset)
		if err != nil {
			return err
		}
		if locked && !r.PlainPlaceholders {
			return fmt.Errorf("cannot create the placeholder %q without encryption: the receiver's configuration does not allow it", in.Dataset)
		}
		if locked {
			props["encryption"] = "off"
		}
	}
	err := r.ZFS.Create(ctx, in.Dataset, props)
	if errors.Is(err, fault.Exists) {
		return nil
	}
	return err
}

// belowLocked reports whether what is created as name would be encrypted with
// a key that is not loaded.
func (r *Receiver) belowLocked(ctx context.Context, name string) (bool, error) {
	list, err := r.ZFS.Datasets(ctx, []string{dataset.Parent(name)}, false, "encryption", "keystatus")
	if err != nil || len(list) != 1 {
		return false, err
	}
	return encrypted(list[0]) && list[0].Properties["keystatus"].Value != "available", nil
}

// Abort throws a partial receive away.
func (r *Receiver) Abort(ctx context.Context, in transfer.Name) error {
	if err := r.changes(ctx, in.Dataset); err != nil {
		return err
	}
	return r.ZFS.AbortReceive(ctx, in.Dataset)
}

// Protect moves the holds on what was received last.
func (r *Receiver) Protect(ctx context.Context, in transfer.Holds) (transfer.Problems, error) {
	for _, s := range in.Hold {
		if err := r.changes(ctx, s.Dataset); err != nil {
			return nil, err
		}
	}
	for _, s := range slices.Concat(in.Release, in.Past) {
		if err := r.allowed(s.Dataset); err != nil {
			return nil, err
		}
	}
	if len(in.Bookmark)+len(in.Keep)+len(in.Forget) > 0 {
		return nil, errors.New("a receiver keeps no bookmarks")
	}
	marked := transfer.Problems{}
	for _, name := range in.Unmark {
		if err := r.changes(ctx, name); err != nil {
			return nil, err
		}
		if err := r.clearMarks(ctx, name); err != nil {
			if ctx.Err() != nil {
				return nil, err
			}
			marked[name] = transfer.ProblemOf(err)
		}
	}
	bad, err := protect(ctx, r.ZFS, r.Tag, in)
	for name, problem := range marked {
		if err == nil && bad[name] == none {
			bad[name] = problem
		}
	}
	return bad, err
}
