package endpoint

import (
	"context"
	"fmt"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/fault"
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
func (s *Sender) optionsOf(ctx context.Context, in transfer.SendRequest, what transfer.SendReply) (dataset.SendOptions, error) {
	switch {
	case s.Plain && !s.copies:
		return s.options(false), nil
	case s.sealed(): // the stream says itself whether it is raw
		return s.options(in.Send.Raw), nil
	}
	kind := fault.Gone
	if in.Token != "" {
		kind = fault.DeadToken
	}
	return s.optionsNow(ctx, in.Dataset, what.Name, what.To, kind)
}

// optionsNow are those of a snapshot as it is at this moment. Gone is the kind of
// the error if there is another one, or none.
func (s *Sender) optionsNow(ctx context.Context, ds, short string, guid dataset.GUID, gone fault.Kind) (dataset.SendOptions, error) {
	if s.Plain && !s.copies {
		return s.options(false), nil
	}
	// One snapshot's properties come from one look at it, so that guid and
	// encryption are of the same dataset.
	name := dataset.Version{Kind: dataset.Snapshot, Name: short}.Full(ds)
	properties := []string{"encryption", "guid"}
	if s.copies {
		properties = append(properties, SendProperty)
	}
	got, err := s.ZFS.Get(ctx, zfs.GetOptions{Names: []string{name}, Properties: properties})
	if err := zfs.Present(err); err != nil {
		return dataset.SendOptions{}, err
	}
	p := got[name]
	if p["guid"].Value != guid.String() {
		return dataset.SendOptions{}, fault.With(gone, fmt.Errorf("dataset %q no longer has snapshot %q with guid %v", ds, short, guid))
	}
	if s.Plain && !cameAsText(ds, p[SendProperty]) {
		return dataset.SendOptions{}, fault.With(gone, fmt.Errorf("dataset %q is another copy than a moment ago, and did not come as plain text", ds))
	}
	return s.options(encrypted(zfs.Dataset{Properties: p})), nil
}

// cameAsText reports whether a snapshot of ds says that its copy was received as
// plain text: what zreplctl noted at ds itself, and not what lies above it.
func cameAsText(ds string, noted zfs.Property) bool {
	sent, err := dataset.ParseSendOptions(noted.Value)
	return err == nil && !sent.Raw && noted.Source == "inherited from "+ds
}
