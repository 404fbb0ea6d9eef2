package endpoint

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/pack"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
)

// Back is how a sink gives its client back what that has sent, so that a host
// that was lost restores over its own connection. The client reads copies below
// the job's roots, and changes only holds of its restores.
type Back struct {
	// Tag is the tag of the holds of a restore to a target on the client's host,
	// and Target the target of such a tag.
	Tag    func(target string) string
	Target func(tag string) (target string, ok bool)
	// SendFrame is the zsend-frame program with options, and Compress how
	// streams to clients that ask for it are compressed; empty: they are not.
	SendFrame []string
	Compress  pack.Method
	// Alone keeps other connections of the client from moving holds until done is
	// called: what is counted is true until then. An error that is a
	// *transfer.LinkError is one for the client, too. Nil: there is no other.
	Alone func(ctx context.Context) (done func(), err error)
	Stall time.Duration // for how long nothing of a stream may move; 0: for ever
}

// MaxBack is how many restores of a client may be unfinished. Each holds at most
// one snapshot of each copy.
const MaxBack = 8

var errNoBack = errors.New("this sink does not give copies back: its job needs \"restore: allow\"")

// back is what a client may have back; an error if that is nothing.
func (r *Receiver) back() (*Back, error) {
	if r.Back == nil {
		return nil, errNoBack
	}
	return r.Back, nil
}

// backTag is the tag of a client's restore.
func (r *Receiver) backTag(target string) (string, error) {
	b, err := r.back()
	if err != nil {
		return "", err
	}
	if err := dataset.CheckName(target); err != nil {
		return "", fmt.Errorf("bad target name: %w", err)
	}
	if strings.Contains(target, ":") { // it stands for "/" in the tag
		return "", fmt.Errorf("bad target name %q: a restore's target has no \":\"", target)
	}
	return b.Tag(target), nil
}

// Copies lists the client's copies, each with the time of its newest snapshot and
// the snapshots that a restore to the target holds. It costs a command about each
// snapshot there is, as a thorough List does.
func (r *Receiver) Copies(ctx context.Context, in transfer.CopiesRequest) ([]transfer.Dataset, error) {
	tag, err := r.backTag(in.Target)
	if err != nil {
		return nil, err
	}
	look := &Receiver{ZFS: r.ZFS, Roots: r.Roots, Tag: tag}
	list, err := look.List(ctx, transfer.ListRequest{Thorough: true})
	if err != nil {
		return nil, err
	}
	list = slices.DeleteFunc(list, func(d transfer.Dataset) bool { return d.Above || d.Aside != "" || r.receives(d.Name) != nil })
	return list, r.dateNewest(ctx, list)
}

// dateNewest finds out when the newest snapshot of each was taken.
func (r *Receiver) dateNewest(ctx context.Context, list []transfer.Dataset) error {
	at := map[string]*transfer.Dataset{}
	var names []string
	for i := range list {
		if n := len(list[i].Versions); n > 0 {
			name := list[i].Versions[n-1].Full(list[i].Name)
			names, at[name] = append(names, name), &list[i]
		}
	}
	for chunk := range chunks(names) {
		o := zfs.ListOptions{Types: []string{"snapshot"}, Columns: []string{"name", "creation"}, Roots: chunk}
		err := r.ZFS.List(ctx, o, func(f []string) (err error) {
			if d := at[f[0]]; d != nil {
				d.Taken, err = strconv.ParseUint(f[1], 10, 64)
			}
			return err
		})
		if err := zfs.Present(err); err != nil {
			return err
		}
	}
	return nil
}

// Pin moves the holds of one of the client's restores. It cannot release other
// holds, and it holds no more than MaxBack snapshots of a copy.
func (r *Receiver) Pin(ctx context.Context, in transfer.Pins) (transfer.Problems, error) {
	tag, err := r.backTag(in.Target)
	if err != nil {
		return nil, err
	}
	for _, s := range slices.Concat(in.Hold, in.Release) {
		if err := dataset.CheckShort(s.Name); err != nil {
			return nil, fmt.Errorf("bad snapshot name: %w", err)
		}
	}
	for _, s := range in.Hold {
		if err := r.changes(ctx, s.Dataset); err != nil {
			return nil, err
		}
	}
	for _, s := range in.Release {
		if err := r.allowed(s.Dataset); err != nil {
			return nil, err
		}
	}
	if len(in.Hold) > 0 {
		if r.Back.Alone != nil {
			done, err := r.Back.Alone(ctx)
			if err != nil {
				return nil, later(err)
			}
			defer done()
		}
		if err := r.mayPin(ctx, tag, in.Hold); err != nil {
			return nil, err
		}
	}
	return protect(ctx, r.ZFS, tag, transfer.Holds{Hold: in.Hold, Release: in.Release, Confirm: true})
}

// mayPin refuses a second snapshot of a copy, and one restore too many. One that
// holds something already is none: it can always go on.
func (r *Receiver) mayPin(ctx context.Context, tag string, want []transfer.Snap) error {
	wanted := map[string]string{}
	for _, s := range want {
		if other := wanted[s.Dataset]; other != "" && other != s.Name {
			return fmt.Errorf("a restore holds one snapshot of %q, not @%s and @%s", s.Dataset, other, s.Name)
		}
		wanted[s.Dataset] = s.Name
	}
	names, err := Held(ctx, r.ZFS, r.Roots, func(string) bool { return true })
	if err != nil || len(names) == 0 {
		return err
	}
	holds, err := r.ZFS.Holds(ctx, names)
	if err != nil {
		return err
	}
	unfinished, begun := map[string]bool{}, false
	for name, tags := range holds {
		for _, there := range tags {
			if target, ok := r.Back.Target(there); ok && there != tag {
				unfinished[target] = true
			}
		}
		begun = begun || slices.Contains(tags, tag)
		ds, _, short := dataset.Split(name)
		if other := wanted[ds]; slices.Contains(tags, tag) && other != "" && other != short {
			return fmt.Errorf("this restore holds @%s of %q, and needs no other", short, ds)
		}
	}
	if len(unfinished) >= MaxBack && !begun {
		return fmt.Errorf("%d restores are unfinished, and no more are allowed: finish one, or release what it holds with zreplctl restore -abandon; they are to %s",
			len(unfinished), quoted(slices.Sorted(maps.Keys(unfinished))))
	}
	return nil
}

// quoted are names for a message, not all where they are many.
func quoted(names []string) string {
	more := ""
	if n := len(names) - MaxBack; n > 0 {
		names, more = names[:MaxBack], fmt.Sprintf(" and %d others", n)
	}
	text := fmt.Sprintf("%q", names)
	return strings.ReplaceAll(text[1:len(text)-1], "\" \"", "\", \"") + more
}

// Restore returns the command that sends one snapshot of a copy back, in full or
// from a resume token.
func (r *Receiver) Restore(ctx context.Context, in transfer.SendRequest) (*transfer.Stream, error) {
	s, err := r.giver(ctx, in)
	if err != nil {
		return nil, err
	}
	made, err := s.Send(ctx, in)
	if err == nil && made.From != 0 {
		return nil, fmt.Errorf("dataset %q: only full streams are given back", in.Dataset)
	}
	return made, err
}

// BackSizes is about how many bytes these streams would have; 0 for one of which
// it is not known.
func (r *Receiver) BackSizes(ctx context.Context, in []transfer.SendRequest) ([]uint64, error) {
	if _, err := r.back(); err != nil {
		return nil, err
	}
	if len(in) > transfer.MaxSizes {
		return nil, fmt.Errorf("a request for %d sizes: at most %d are allowed", len(in), transfer.MaxSizes)
	}
	sizes := make([]uint64, len(in))
	for i, one := range in {
		if made, err := r.Restore(ctx, one); err == nil {
			sizes[i], _ = r.ZFS.SendSize(ctx, made.Args)
		}
	}
	return sizes, ctx.Err()
}

// giver is the sender of one copy. A copy that was received raw is sent raw. An
// encrypted one is sent as plain text only if it came as plain text.
func (r *Receiver) giver(ctx context.Context, in transfer.SendRequest) (*Sender, error) {
	b, err := r.back()
	if err != nil {
		return nil, err
	}
	if err := r.changes(ctx, in.Dataset); err != nil {
		return nil, err
	}
	if in.From.Name != "" || in.From.GUID != 0 || len(in.Via) > 0 {
		return nil, fmt.Errorf("dataset %q: only full streams are given back", in.Dataset)
	}
	sets, err := r.ZFS.Datasets(ctx, []string{in.Dataset}, false, "encryption", SendProperty)
	if err := zfs.Present(err); err != nil {
		return nil, err
	}
	if len(sets) != 1 || sets[0].Properties[SendProperty].Source != "local" { // what others made there is not the client's
		return nil, fmt.Errorf("dataset %q is no copy that zreplctl made for this client", in.Dataset)
	}
	sent, err := dataset.ParseSendOptions(sets[0].Properties[SendProperty].Value)
	return &Sender{ZFS: r.ZFS, Datasets: below{r}, Options: dataset.SendOptions{LargeBlocks: true}, Stall: b.Stall, Compress: b.Compress,
		Plain: err == nil && !sent.Raw && encrypted(sets[0]), copies: true, masked: true}, nil
}

// below is the filter that passes the copies of a receiver.
type below struct{ *Receiver }

func (b below) Pass(name string) bool                    { return b.receives(name) == nil }
func (b below) Roots() (roots []string, everything bool) { return b.Receiver.Roots, false }
