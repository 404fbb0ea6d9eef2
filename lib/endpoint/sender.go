package endpoint

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/cursor"
	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/pack"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs/stream"
)

// Sender is the sending end of one job and one client over this machine's
// ZFS. Its fields are set before it is used; it may then be used from several
// goroutines.
type Sender struct {
	ZFS      *zfs.ZFS
	Datasets Filter
	Tag      string // see cursor.Tag
	// Options are the job's options for datasets that are not encrypted.
	Options dataset.SendOptions
	// Plain sends encrypted datasets as plain text; otherwise they go raw.
	Plain bool
	// Stall is for how long nothing of a stream to a client may move; 0: for
	// ever.
	Stall time.Duration
	// Rates are files of limits that the reading of a snapshot for its digest
	// shares with streams; see package rate.
	Rates []string
	// Reads is told a snapshot that is read for its digest, until end is called;
	// nil: nobody is.
	Reads func(snapshot string) (end func())
	// Rules is Datasets before a property chose among them, if one did: of what they
	// allow, List tells that it does not exist. May be nil.
	Rules Filter
	// Bookmarks makes the cursor a bookmark and not a hold.
	Bookmarks bool
	// Tell makes List tell the properties that datasets have set or received.
	Tell bool
	// Begun is told each stream of several snapshots that begins: pruning must
	// know what lies between its ends. May be nil.
	Begun func(ds string, from, to dataset.GUID) error
	// Note keeps what the receiver has, for those who ask how old its copies are;
	// nil: nothing is kept.
	Note Note
	// Renamed is told which datasets of which Note keeps something have other names
	// by now; nil: nobody is.
	Renamed func(now map[string]string)
	// Memory keeps what List has seen for later; nil: nothing is kept.
	Memory Memory
	// Pace says when bases are kept as bookmarks; nil: never.
	Pace Pace

	// Compress is how streams to clients that ask for it are compressed; empty:
	// they are not.
	Compress pack.Method

	// copies: it sends what was received here, and as plain text only what came so.
	copies bool
	masked bool // it serves a client, which sees other clients' cursors by other names
}

// List returns the datasets that the job offers, with their versions. It
// costs two commands, two more if it is to be thorough, and two more if it is
// to tell properties. With Memory one of them, about snapshots, asks only for
// datasets where something changed.
func (s *Sender) List(ctx context.Context, in transfer.ListRequest) ([]transfer.Dataset, error) {
	asked, err := s.listable(ctx, in.Datasets)
	if err != nil || len(asked) == 0 && len(in.Datasets) > 0 {
		return nil, err
	}
	roots, recursive, none := s.roots(asked)
	if none {
		return nil, nil
	}
	l := listing{zfs: s.ZFS, roots: roots, recursive: recursive, properties: []string{"encryption", "encryptionroot", "origin"},
		bookmarks: true, memory: s.Memory, fresh: in.Fresh || in.Thorough}
	if in.Thorough {
		l.tag = s.Tag
	}
	if s.Tell {
		l.told = func(name string) bool { return s.Datasets.Pass(name) }
	}
	if err := l.run(ctx); err != nil {
		return nil, err
	}
	names := make([]string, 0, len(l.datasets))
	for _, d := range l.datasets {
		names = append(names, d.Name)
	}
	aside, err := Asides(ctx, s.ZFS, names)
	if err != nil {
		return nil, err
	}
	common, keep := s.noted(), s.Pace != nil && s.Pace.Due()
	var out []transfer.Dataset
	for _, d := range l.datasets {
		if !s.Datasets.Pass(d.Name) || asides(aside).above(d.Name) != "" {
			continue
		}
		enc := encrypted(d)
		t := transfer.Dataset{Name: d.Name, Volume: d.Type == "volume", Encrypted: enc,
			Versions: l.versions[d.Name], Held: transfer.Names(l.held[d.Name]...), Send: s.options(enc), Common: common(d.Name), Keep: keep}
		if root := keyRoot(d); s.Datasets.Pass(root) { // no other name is the client's to know
			t.KeyRoot = root
		}
		t.Origin = s.originOf(&l, d, asides(aside))
		if s.Tell {
			t.Told = l.settings.of(d.Name)
		}
		if s.Bookmarks {
			t.Mark = len(cursor.Bookmark(s.Tag, 0))
		}
		for _, v := range t.Versions {
			switch {
			case v.Kind != dataset.Bookmark:
			case cursor.Is(s.Tag, v.Name):
				t.Marks.Add(v.Name)
			case cursor.IsKept(s.Tag, v.Name):
				t.Kept.Add(v.Name)
			}
		}
		out = append(out, t)
	}
	return out, nil
}

// offers refuses what is not the job's to send, and what another job of this host
// has set aside, with all below it.
func (s *Sender) offers(ctx context.Context, name string) error {
	if err := allowed(s.Datasets, name); err != nil || len(dataset.AsideAbove(name)) == 0 {
		return err
	}
	if all, err := Asides(ctx, s.ZFS, []string{name}); err != nil || asides(all).above(name) != "" {
		return errors.Join(fmt.Errorf("dataset %q: %w", name, errNotOffered), err)
	}
	return nil
}

// roots returns what to give to zfs list: the names asked for, or where the
// filter begins. None is true where the filter passes nothing.
func (s *Sender) roots(asked []string) (roots []string, recursive, none bool) {
	if len(asked) > 0 {
		return asked, false, false
	}
	if f, ok := s.Datasets.(interface{ Exact() ([]string, bool) }); ok {
		if names, exact := f.Exact(); exact { // what is below them may be much
			return names, false, false
		}
	}
	roots, everything := s.Datasets.Roots()
	if everything {
		return nil, true, false
	}
	return roots, true, len(roots) == 0
}

func encrypted(d zfs.Dataset) bool {
	e := d.Properties["encryption"].Value
	return e != "off" && e != "-" && e != ""
}

// keyRoot is the dataset whose key encrypts d; empty: none.
func keyRoot(d zfs.Dataset) string {
	if root := d.Properties["encryptionroot"].Value; root != "-" {
		return root
	}
	return ""
}

func (s *Sender) options(encrypted bool) dataset.SendOptions {
	o := s.Options
	o.Raw = encrypted && !s.Plain
	return o
}

// Send returns the command that sends what is asked for, once everything in
// the request was found to be the client's to ask. What the stream then says
// of itself is judged before its first byte leaves.
func (s *Sender) Send(ctx context.Context, in transfer.SendRequest) (*transfer.Stream, error) {
	made, err := s.stream(ctx, in)
	if err != nil {
		return nil, err
	}
	if in.Token == "" && len(in.Via) > 0 && s.Begun != nil {
		if err := s.Begun(in.Dataset, in.From.GUID, in.To.GUID); err != nil {
			return nil, fmt.Errorf("cannot note what is sent of dataset %q: %w", in.Dataset, err)
		}
	}
	return made, nil
}

// stream is what Send returns. Nothing is begun yet.
func (s *Sender) stream(ctx context.Context, in transfer.SendRequest) (*transfer.Stream, error) {
	if err := s.offers(ctx, in.Dataset); err != nil {
		return nil, err
	}
	if err := s.checkOrigin(ctx, in); err != nil {
		return nil, err
	}
	in, err := s.unmask(ctx, in) // here, so that no call answers otherwise
	if err != nil {
		return nil, err
	}
	reply := transfer.SendReply{From: in.From.GUID, To: in.To.GUID, Name: in.To.Name}
	var token stream.Token
	if in.Token != "" {
		if token, err = tokenFor(in.Dataset, in.Token); err != nil {
			return nil, err
		}
		_, _, short := dataset.Split(token.ToName)
		reply = transfer.SendReply{From: token.FromGUID, To: token.ToGUID, Name: short}
	}
	opts, err := s.optionsOf(ctx, in, reply)
	if err != nil {
		return nil, err
	}
	if opts != in.Send {
		return nil, fmt.Errorf("dataset %q is sent with options %s, not %s", in.Dataset, opts, in.Send)
	}
	o := zfs.Sending{SendOptions: opts}
	o.Raw = opts.Raw || s.sealed()
	if in.Token != "" {
		o.Token = in.Token
		if err := s.checkToken(ctx, in, token, opts); err != nil {
			return nil, err
		}
	} else {
		if in.To.Kind != dataset.Snapshot || in.To.GUID == 0 || in.From.Name != "" && in.From.GUID == 0 {
			return nil, errors.New("a request to send that names no snapshot or no guid")
		}
		o.From, o.Origin, o.To, o.Chained = in.From, in.Origin, in.To, len(in.Via) > 0
	}
	expect := expectation(opts, in.Volume, append(slices.Clone(in.Via), transfer.Brought{Name: reply.Name, GUID: reply.To}))
	expect.From, expect.Resumed, expect.Clone = reply.From, in.Token != "", in.Origin != ""
	if err := expect.Check(); err != nil {
		return nil, fmt.Errorf("bad request to send: %w", err)
	}
	args, err := s.ZFS.SendArgs(in.Dataset, o)
	if err != nil {
		return nil, err
	}
	made := &transfer.Stream{SendReply: reply, Args: args, Expect: expect.Words()}
	if in.Compress != "" {
		if made.Compress, err = s.compression(in); err != nil {
			return nil, err
		}
	}
	return made, nil
}

// tokenFor reads a resume token, and refuses one that is not for ds.
func tokenFor(ds, text string) (stream.Token, error) {
	t, err := stream.DecodeToken(text)
	if err != nil {
		return t, err
	}
	if name, kind, _ := dataset.Split(t.ToName); kind != dataset.Snapshot || name != ds {
		return t, stream.BadToken("it is not for dataset %q", ds)
	}
	return t, nil
}

// Size is about how many bytes a stream would have. It is asked for as Send's.
func (s *Sender) Size(ctx context.Context, in transfer.SendRequest) (uint64, error) {
	made, err := s.stream(ctx, in)
	if err != nil {
		return 0, err
	}
	return s.ZFS.SendSize(ctx, made.Args)
}

// sizesAtOnce is how many estimates are made at once.
const sizesAtOnce = 2

// Sizes is Size of several streams; 0 for one of which it is not known.
func (s *Sender) Sizes(ctx context.Context, in []transfer.SendRequest) ([]uint64, error) {
	if len(in) > transfer.MaxSizes {
		return nil, fmt.Errorf("a request for %d sizes: at most %d are allowed", len(in), transfer.MaxSizes)
	}
	sizes := make([]uint64, len(in))
	turn := make(chan struct{}, sizesAtOnce)
	var wg sync.WaitGroup
	for i, one := range in {
		turn <- struct{}{}
		wg.Go(func() {
			defer func() { <-turn }()
			if size, err := s.Size(ctx, one); err == nil {
				sizes[i] = size
			}
		})
	}
	wg.Wait()
	return sizes, ctx.Err()
}

// checkToken holds a resume token against what is asked for. zfs send -t looks for
// the token's guids all over the pool, beginning at the name in the token, so that
// name and guid must be of one snapshot of the dataset, and the flags the job's.
func (s *Sender) checkToken(ctx context.Context, in transfer.SendRequest, t stream.Token, opts dataset.SendOptions) error {
	ds, origin := in.Dataset, cmp.Or(in.Origin, in.Dataset)
	_, _, short := dataset.Split(t.ToName)
	if t.Saved || t.Redacted {
		return stream.BadToken("streams of that kind are not sent here")
	}
	if why := partialOf(t).Unresumable(opts); why != "" {
		return stream.BadToken("dataset %q: %s", ds, why)
	}
	var to, from bool
	names := slices.Compact([]string{ds, origin})
	err := s.ZFS.Histories(ctx, names, false, func(of string, v dataset.Version) error {
		to = to || of == ds && v.Kind == dataset.Snapshot && v.GUID == t.ToGUID && v.Name == short
		from = from || of == origin && v.GUID == t.FromGUID
		return nil
	})
	switch {
	case err != nil:
		return err
	case !to:
		return stream.BadToken("dataset %q no longer has snapshot %q with its guid", ds, short)
	case !from && t.FromGUID != 0:
		return stream.BadToken("dataset %q has no version with the guid it starts from", origin)
	}
	return nil
}

// Protect moves the client's holds and bookmarks.
func (s *Sender) Protect(ctx context.Context, in transfer.Holds) (transfer.Problems, error) {
	for _, list := range [][]transfer.Snap{in.Hold, in.Release, in.Past, in.Bookmark, in.Keep, in.Forget, in.Common} {
		for _, snap := range list {
			if err := allowed(s.Datasets, snap.Dataset); err != nil {
				return nil, err
			}
		}
	}
	if len(in.Unmark) > 0 {
		return nil, errors.New("a sender has no placeholders")
	}
	for _, snap := range in.Forget {
		if !cursor.Is(s.Tag, snap.Name) && !cursor.IsKept(s.Tag, snap.Name) {
			return nil, fmt.Errorf("bookmark %q is no cursor of this client", snap.Name)
		}
	}
	if err := s.note(ctx, in.Common); err != nil {
		return nil, err
	}
	if len(in.Keep) > 0 && s.Pace != nil {
		s.Pace.Done()
	}
	return protect(ctx, s.ZFS, s.Tag, in)
}

// Deferred returns those of snaps that are marked for deferred destruction or
// that are gone.
func (s *Sender) Deferred(ctx context.Context, snaps []transfer.Snap) ([]transfer.Snap, error) {
	var names []string
	for _, snap := range snaps {
		if err := allowed(s.Datasets, snap.Dataset); err != nil {
			return nil, err
		}
		names = append(names, snap.Full())
	}
	good := map[string]bool{}
	for chunk := range chunks(names) {
		o := zfs.ListOptions{Types: []string{"snapshot"}, Columns: []string{"name", "defer_destroy"}, Roots: chunk}
		err := s.ZFS.List(ctx, o, func(f []string) error {
			good[f[0]] = f[1] != "on"
			return nil
		})
		if err := zfs.Present(err); err != nil {
			return nil, err
		}
	}
	return slices.DeleteFunc(slices.Clone(snaps), func(t transfer.Snap) bool { return good[t.Full()] }), nil
}

// chunks cuts names so that each part fits into one command.
func chunks(names []string) func(yield func([]string) bool) {
	return func(yield func([]string) bool) {
		for len(names) > 0 {
			n := zfs.FitArgs(names)
			if !yield(names[:n]) {
				return
			}
			names = names[n:]
		}
	}
}
