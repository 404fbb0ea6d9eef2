package job

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/cursor"
	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/endpoint"
	"github.com/zrepl-tools/zrepl-tools/lib/mapfilter"
	"github.com/zrepl-tools/zrepl-tools/lib/pack"
	"github.com/zrepl-tools/zrepl-tools/lib/plan"
	"github.com/zrepl-tools/zrepl-tools/lib/property"
	"github.com/zrepl-tools/zrepl-tools/lib/replicate"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/reading"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
)

// Programs are the paths of what moves streams.
type Programs struct {
	ZFS                  *zfs.ZFS
	SendFrame, RecvFrame string
	// rates are files of limits that all streams share; see rates.
	rates []string
	// reads notes which snapshots are read for their digests.
	reads reading.Dir
	// reply is the longest time for a reply; 0: as for a run.
	reply time.Duration
	// say is told what a person may want to know; nil: nobody is.
	say func(string)
	// Daemon says that ssh gets nothing of our environment.
	Daemon bool
}

// keepEvery is how often a sender that holds its bases also keeps one as a
// bookmark.
const keepEvery = 4 * time.Hour

// sender is the sending end of a job whose datasets are here, for the receiver
// that id names. It keeps what it lists in dir.
func (p Programs) sender(j *config.Job, id string, dir state.Dir) *endpoint.Sender {
	s := &endpoint.Sender{Stall: j.Stall, ZFS: p.ZFS, Datasets: sources(j), Plain: j.Send.Decrypt,
		Options: j.Send.SendOptions, Tell: j.Send.Properties}
	if j.Select != nil {
		s.Rules = j.AsWritten().Sources()
	}
	s.Bookmarks = j.Cursor == config.CursorBookmark
	if j.Type == config.Source {
		s.Compress = j.Compress
	}
	s.Rates, s.Reads = p.rates, p.reads.Begin
	s.Tag = cursor.Tag(string(j.Type), id)
	s.Begun = func(ds string, from, to dataset.GUID) error {
		return dir.NoteChain(j.Name, id, state.Chain{Dataset: ds, From: from, To: to, Bookmark: s.Bookmarks})
	}
	if j.Type != config.Local { // both sides of which are here
		s.Note = dir.Common(s.Tag)
	}
	if j.Type == config.Source {
		// Who cannot write there serves all the same: health then misses the old name.
		s.Renamed = func(now map[string]string) {
			_ = errors.Join(dir.Common(s.Tag).Forget(slices.Collect(maps.Keys(now))), moveCovered(dir, id, func(name string) string {
				return cmp.Or(now[name], name)
			}))
		}
	}
	s.Memory = remember(dir, j.Name, "offered")
	if !s.Bookmarks {
		s.Pace = dir.Pace(s.Tag+".kept", keepEvery)
	}
	return s
}

// sources are the datasets that a job sends. Of one with select they are none
// until somebody has looked: see package choose.
func sources(j *config.Job) *mapfilter.Rules {
	if j.Select != nil && j.Choices == nil {
		return j.Narrowed(nil).Sources()
	}
	return j.Sources()
}

// receiver is the receiving end of a job whose targets are here. It keeps what
// it lists in dir.
func (p Programs) receiver(j *config.Job, dir state.Dir, inherit ...*os.File) *endpoint.Receiver {
	r := &endpoint.Receiver{ZFS: p.ZFS, Tag: cursor.LastTag(j.Name), Inherit: inherit,
		Stall: j.Stall, Set: j.Recv.Override, RecvFrame: p.recvFrame(j), Rates: p.rates, PlainPlaceholders: j.Recv.PlainPlaceholders,
		PlainCopies: j.Recv.PlainCopies, Take: property.Rules{Take: j.Recv.Properties, Exclude: j.Recv.Exclude}}
	r.Decompress, r.Clones = j.Compress != "", j.Recv.Clones
	r.Memory, r.Reads = remember(dir, j.Name, "received"), p.reads.Begin
	if j.Recv.Renames {
		r.Renames = others(dir, j.Name)
	}
	if r.Asides = j.Recv.Asides; len(r.Asides) > 0 {
		r.Shared = others(dir, j.Name)
	}
	if j.Type == config.PushSink {
		if j.Restore {
			r.Back = p.back(j)
		}
		r.Limits = endpoint.Limits{Datasets: j.Limits.Datasets, Snapshots: j.Limits.Snapshots, Quota: j.Limits.Quota}
	}
	if j.Mapping != nil {
		r.Map, r.Roots = j.Mapping.Map, j.Mapping.Targets()
		return r
	}
	r.Roots, r.Below = []string{j.Root}, true
	r.Map = func(source string) (string, bool) { return j.Root + "/" + source, true }
	return r
}

func (p Programs) rateFlags() (flags []string) {
	for _, path := range p.rates {
		flags = append(flags, "-rate-file", path)
	}
	return flags
}

func (p Programs) sendFrame(j *config.Job) []string {
	return append([]string{p.SendFrame, "-checksum", j.Checksum}, p.rateFlags()...)
}

// recvFrame decompresses only for a job that says so.
func (p Programs) recvFrame(j *config.Job) []string {
	args := append([]string{p.RecvFrame}, p.rateFlags()...)
	if j.Compress != "" {
		args = append(args, "-decompress", pack.Zstd)
	}
	return args
}

// compress is how an active job has its streams compressed.
func (p Programs) compress(j *config.Job) pack.Method {
	if j.Compress == "" {
		return ""
	}
	err := j.Compress.Works()
	if err == nil {
		return j.Compress
	}
	p.once(j, fmt.Sprintf("warning: streams are not compressed: %v", err))
	return ""
}

// warned has what this process has said of a job already: a daemon would say it
// with every run.
var warned sync.Map

// once says a warning of a job, once for this process.
func (p Programs) once(j *config.Job, text string) {
	if p.say == nil {
		return
	}
	if _, said := warned.LoadOrStore(j.Name+": "+text, true); !said {
		p.say(text)
	}
}

// ends makes both ends of an active job. Close ends its connections.
func (p Programs) ends(j *config.Job, run string, dir state.Dir, inherit ...*os.File) (s replicate.Sender, r replicate.Receiver, closeAll func(), err error) {
	pool := &endpoint.Pool{Job: j.Name, Run: run, Lists: endpoint.Limits{Datasets: j.Limits.Datasets, Snapshots: j.Limits.Snapshots}, Dial: func(ctx context.Context) (*endpoint.Link, error) { return dial(ctx, j, p.Daemon, p.reply) }}
	pool.Compress, pool.Say = p.compress(j), func(text string) { p.once(j, text) }
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
		Rules:   j.SnapshotRules,
		Merge:   true,
		// The sender decides that, and refuses if it does not want to.
		Decrypt: true,
	}
}
