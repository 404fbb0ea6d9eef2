package endpoint

import (
	"context"
	"fmt"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
)

// sealed reports whether every stream is asked for with -w: then an encrypted
// dataset cannot leave as plain text, whatever became of it since it was
// listed. For others -w means -L, -e and -c, so it is only used where the job
// says these.
func (s *Sender) sealed() bool {
	o := s.Options
	return !s.Plain && o.LargeBlocks && o.Compressed && o.Embedded
}

// optionsOf finds out how a stream is to be sent. What a client says of that
// is not believed, nor what was known before: an encrypted dataset may have
// taken the name since, also one with the same guids, as a copy has.
func (s *Sender) optionsOf(ctx context.Context, in transfer.SendRequest, what transfer.SendReply) (transfer.Options, error) {
	switch {
	case s.Plain:
		return s.options(false), nil
	case s.sealed(): // the stream says itself whether it is raw
		return s.options(in.Send.Raw), nil
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
		return transfer.Options{}, fmt.Errorf("dataset %q no longer has snapshot %q with guid %v", in.Dataset, what.Name, what.To)
	}
	return s.options(encrypted(zfs.Dataset{Properties: p})), nil
}
