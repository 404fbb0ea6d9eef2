package job

import (
	"context"
	"fmt"
	"os"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/endpoint"
	"github.com/zrepl-tools/zrepl-tools/lib/plan"
	"github.com/zrepl-tools/zrepl-tools/lib/property"
	"github.com/zrepl-tools/zrepl-tools/lib/replicate"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
)

// Programs are the paths of what moves streams.
type Programs struct {
	ZFS                  *zfs.ZFS
	SendFrame, RecvFrame string
	// Daemon says that ssh gets nothing of our environment.
	Daemon bool
}

// sender is the sending end of a job whose datasets are here, for the receiver
// that id names. It keeps what it lists in dir.
func (p Programs) sender(j *config.Job, id string, dir state.Dir) *endpoint.Sender {
	s := &endpoint.Sender{Stall: j.Stall, ZFS: p.ZFS, Datasets: j.Sources(), Plain: j.Send.Decrypt,
		Options: transfer.Options{LargeBlocks: j.Send.LargeBlocks, Compressed: j.Send.Compressed,
			Embedded: j.Send.Embedded}, Tell: j.Send.Properties}
	s.Bookmarks = j.Cursor == config.CursorBookmark
	s.Tag = endpoint.CursorTag(string(j.Type), id)
	s.Begun = func(ds string, from, to dataset.GUID) error {
		return dir.NoteChain(j.Name, id, state.Chain{Dataset: ds, From: from, To: to, Bookmark: s.Bookmarks})
	}
	s.Memory = remember(dir, j.Name, "offered")
	return s
}

// receiver is the receiving end of a job whose targets are here. It keeps what
// it lists in dir.
func (p Programs) receiver(j *config.Job, dir state.Dir, inherit ...*os.File) *endpoint.Receiver {
	r := &endpoint.Receiver{ZFS: p.ZFS, Tag: endpoint.LastTag(j.Name), Inherit: inherit,
		Stall: j.Stall, Set: j.Recv.Override, RecvFrame: []string{p.RecvFrame}, PlainPlaceholders: j.Recv.PlainPlaceholders,
		PlainCopies: j.Recv.PlainCopies, Take: property.Rules{Take: j.Recv.Properties, Exclude: j.Recv.Exclude}}
	r.Memory = remember(dir, j.Name, "received")
	r.Limits = endpoint.Limits{Datasets: j.Limits.Datasets, Snapshots: j.Limits.Snapshots, Quota: j.Limits.Quota, RootsCount: j.Mapping != nil}
	if j.Mapping != nil {
		r.Map, r.Roots = j.Mapping.Map, j.Mapping.Targets()
		return r
	}
	r.Roots = []string{j.Root}
	r.Map = func(source string) (string, bool) { return j.Root + "/" + source, true }
	return r
}

func (p Programs) sendFrame(j *config.Job) []string {
	args := []string{p.SendFrame, "-checksum", j.Checksum}
	if j.Rate > 0 {
		args = append(args, "-rate", j.Rate.String())
	}
	return args
}

// ends makes both ends of an active job. Close ends its connections.
func (p Programs) ends(j *config.Job, run string, dir state.Dir, inherit ...*os.File) (s replicate.Sender, r replicate.Receiver, closeAll func(), err error) {
	pool := &endpoint.Pool{Job: j.Name, Run: run, Dial: func(ctx context.Context) (*endpoint.Link, error) { return dial(ctx, j, p.Daemon) }}
	switch j.Type {
	case config.Pull:
		pool.Role = endpoint.SourceRole
		return endpoint.RemoteSender{Pool: pool}, p.receiver(j, dir, inherit...), pool.Close, nil
	case config.Push:
		pool.Role = endpoint.SinkRole
		return p.sender(j, j.Name, dir), endpoint.RemoteReceiver{Pool: pool, SendFrame: p.sendFrame(j), Stall: j.Stall}, pool.Close, nil
	case config.Local:
		return p.sender(j, j.Name, dir), p.receiver(j, dir, inherit...), func() {}, nil
	}
	return nil, nil, nil, fmt.Errorf("a job of type %s does not replicate", j.Type)
}

func policy(j *config.Job) plan.Policy {
	return plan.Policy{
		Initial: plan.Initial(j.InitialReplPolicy),
		Prefix:  j.SnapshotPrefix,
		Merge:   true,
		// The sender decides that, and refuses if it does not want to.
		Decrypt: true,
	}
}
