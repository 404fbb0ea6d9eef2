package job

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/endpoint"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
)

// copies is where a restore finds the copies of its job: on this host, or at the
// sink to which the job pushes. Only holds of the restore are changed there.
type copies interface {
	// find is the copy of the dataset that was asked for.
	find(ctx context.Context) (copy string, ok bool, err error)
	// list lists the copy, and with -r those below, parents first, with their
	// snapshots.
	list(ctx context.Context) ([]*RestorePart, error)
	// taken tells when each of some snapshots was taken.
	taken(ctx context.Context, names []string, each func(name string, at uint64)) error
	// tagged are all snapshots with this restore's hold.
	tagged(ctx context.Context) ([]string, error)
	// hold and release move that hold, and say what failed by snapshot.
	hold(ctx context.Context, parts []*RestorePart) (bad map[string]error, err error)
	release(ctx context.Context, names []string) (bad map[string]error, err error)
	// confirm looks whether what was held has the guids that were listed.
	confirm(ctx context.Context, parts []*RestorePart) error
	size(ctx context.Context, p *RestorePart) uint64 // 0: not known
	send(ctx context.Context, p *RestorePart) (*transfer.Stream, error)
	close()
}

// here are copies of this host.
type here struct{ *Restore }

func (h here) close() {}

func (h here) find(context.Context) (string, bool, error) {
	copy, ok := meantCopy(h.Run.Job, h.Dataset)
	return copy, ok, nil
}

func (h here) list(ctx context.Context) (parts []*RestorePart, err error) {
	z := h.Run.Programs.ZFS
	sets, err := z.Datasets(ctx, []string{h.copy}, h.Recursive, "encryption", "encryptionroot", "keystatus", "receive_resume_token", endpoint.SendProperty, endpoint.PlaceholderProperty, endpoint.ZreplPlaceholder)
	if err := zfs.Present(err); err != nil {
		return nil, err
	}
	at := map[string]*RestorePart{}
	for _, d := range sets {
		p := partOf(d)
		parts, at[d.Name] = append(parts, p), p
	}
	if len(parts) == 0 {
		return nil, nil
	}
	return parts, z.Snapshots(ctx, []string{h.copy}, h.Recursive, func(ds string, v dataset.Version) error {
		if p := at[ds]; p != nil {
			p.snapshots = append(p.snapshots, v)
		}
		return nil
	})
}

func (h here) taken(ctx context.Context, names []string, each func(string, uint64)) error {
	for len(names) > 0 {
		n := zfs.FitArgs(names)
		o := zfs.ListOptions{Types: []string{"snapshot"}, Columns: []string{"name", "creation"}, Roots: names[:n]}
		err := h.Run.Programs.ZFS.List(ctx, o, func(f []string) error {
			at, err := strconv.ParseUint(f[1], 10, 64)
			each(strings.Clone(f[0]), at)
			return err
		})
		if err := zfs.Present(err); err != nil {
			return err
		}
		names = names[n:]
	}
	return nil
}

func (h here) tagged(ctx context.Context) (names []string, err error) {
	all, err := endpoint.Protection(ctx, h.Run.Programs.ZFS)
	for _, held := range all {
		if held.Tag == h.tag {
			names = append(names, held.Name)
		}
	}
	return names, err
}

func (h here) hold(ctx context.Context, parts []*RestorePart) (map[string]error, error) {
	return h.Run.Programs.ZFS.Hold(ctx, h.tag, snapshotsOf(parts))
}

func (h here) release(ctx context.Context, names []string) (map[string]error, error) {
	return h.Run.Programs.ZFS.Release(ctx, h.tag, names)
}

func (h here) confirm(ctx context.Context, parts []*RestorePart) error {
	guids, err := h.Run.Programs.ZFS.GUIDs(ctx, snapshotsOf(parts))
	if err != nil {
		return err
	}
	for _, p := range parts {
		if guids[p.From()] != p.snapshot.GUID {
			return fmt.Errorf("%q is another snapshot than a moment ago", p.From())
		}
	}
	return nil
}

func snapshotsOf(parts []*RestorePart) (names []string) {
	for _, p := range parts {
		names = append(names, p.From())
	}
	return names
}

// only is the filter that passes one dataset.
type only string

func (o only) Pass(name string) bool   { return name == string(o) }
func (o only) Roots() ([]string, bool) { return []string{string(o)}, false }

func (h here) send(ctx context.Context, p *RestorePart) (*transfer.Stream, error) {
	s := &endpoint.Sender{ZFS: h.Run.Programs.ZFS, Datasets: only(p.Copy), Plain: p.plain, Options: dataset.SendOptions{LargeBlocks: true}}
	return s.Send(ctx, p.request())
}

func (h here) size(ctx context.Context, p *RestorePart) (size uint64) {
	if made, err := h.send(ctx, p); err == nil {
		size, _ = h.Run.Programs.ZFS.SendSize(ctx, made.Args)
	}
	return size
}
