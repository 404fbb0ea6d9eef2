package endpoint

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
)

// plainSnapshots remembers, by guid, the snapshots that were listed in
// datasets without encryption. A guid names the data, whatever becomes of the
// dataset afterwards: if an encrypted one takes its name, the stream has
// another guid, and zsend-frame refuses it.
type plainSnapshots struct {
	mu    sync.Mutex
	guids []dataset.GUID // sorted by ready
}

func (p *plainSnapshots) forget(all bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if all {
		p.guids = nil
	}
}

func (p *plainSnapshots) add(vs []dataset.Version) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, v := range vs {
		if v.Kind == dataset.Snapshot {
			p.guids = append(p.guids, v.GUID)
		}
	}
}

// ready is called when all were added.
func (p *plainSnapshots) ready() {
	p.mu.Lock()
	defer p.mu.Unlock()
	slices.Sort(p.guids)
	p.guids = slices.Compact(p.guids)
}

func (p *plainSnapshots) has(g dataset.GUID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, found := slices.BinarySearch(p.guids, g)
	return found
}

// sealed reports whether every stream is asked for with -w: then an encrypted
// dataset cannot leave as plain text, whatever became of it since it was
// listed. For others -w means -L, -e and -c, so it is only used where the job
// says these.
func (s *Sender) sealed() bool {
	o := s.Options
	return !s.Plain && o.LargeBlocks && o.Compressed && o.Embedded
}

// optionsOf finds out how a stream is to be sent. What a client says of that
// is not believed: it could have an encrypted dataset sent as plain text.
func (s *Sender) optionsOf(ctx context.Context, in transfer.SendRequest, what transfer.SendReply) (transfer.Options, error) {
	switch {
	case s.Plain:
		return s.options(false), nil
	case s.sealed(): // the stream says itself whether it is raw
		return s.options(in.Send.Raw), nil
	case s.plain.has(what.To) && !slices.ContainsFunc(in.Via, func(b transfer.Brought) bool { return !s.plain.has(b.GUID) }):
		return s.options(false), nil
	}
	// One snapshot's properties come from one look at it, so that guid and
	// encryption are of the same dataset.
	name := dataset.Version{Kind: dataset.Snapshot, Name: what.Name}.Full(in.Dataset)
	got, err := s.ZFS.Get(ctx, zfs.GetOptions{Names: []string{name}, Properties: []string{"encryption", "guid"}})
	if err := zfs.Present(err); err != nil {
		return transfer.Options{}, err
	}
	p := got[name]
	if p["guid"].Value != what.To.String() {
		return transfer.Options{}, fmt.Errorf("dataset %q has no snapshot %q with guid %v any more", in.Dataset, what.Name, what.To)
	}
	return s.options(encrypted(zfs.Dataset{Properties: p})), nil
}
