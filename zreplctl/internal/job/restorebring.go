package job

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/endpoint"
	"github.com/zrepl-tools/zrepl-tools/lib/progress"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
)

// bring makes one dataset, unless it is there. What is there afterwards counts,
// whatever the commands said.
func (r *Restore) bring(ctx context.Context, p *RestorePart) {
	if p.State == RestoreMissing || p.Err != nil {
		return
	}
	if above := r.partAt(dataset.Parent(p.Target)); above != nil && above.State != RestoreDone {
		p.Err = fmt.Errorf("%q above was not restored", above.Copy)
		return
	}
	var err error
	switch p.State {
	case RestoreCarrier:
		// A mountpoint of its own would be inherited by all below.
		err = r.Run.Programs.ZFS.Create(ctx, p.Target, map[string]string{"canmount": "off", endpoint.RestoreProperty: r.mark(p).String()})
	case RestoreFull, RestoreResume:
		how := ""
		if p.plain {
			how = ", as plain text"
		}
		r.Run.tell(fmt.Sprintf("restoring %q to %q%s", p.From(), p.Target, how))
		err = r.receive(ctx, p)
	}
	if ctx.Err() != nil {
		p.Err = ctx.Err()
		return
	}
	if bad := r.confirm(ctx, p); bad != nil {
		p.Err = errors.Join(err, bad)
		if err != nil {
			p.Err = err
		}
		if p.State == RestoreDone {
			p.State = RestoreFull
		}
		return
	}
	p.State = RestoreDone
}

func (r *Restore) partAt(target string) *RestorePart {
	for _, p := range r.parts {
		if p.Target == target {
			return p
		}
	}
	return nil
}

func (r *Restore) receive(ctx context.Context, p *RestorePart) error {
	if r.Run.Watched {
		p.Size = r.from.size(ctx, p)
	}
	made, err := r.from.send(ctx, p)
	if err != nil {
		return err
	}
	v := &endpoint.Receiver{ZFS: r.Run.Programs.ZFS, Roots: []string{p.Target}, Restores: r.mark(p).String(),
		Stall: r.Run.Job.Stall, Inherit: []*os.File{r.lock}}
	if r.far() {
		v.RecvFrame, v.Inherit = r.programs.recvFrame(r.Run.Job), append(v.Inherit, r.jobLock)
	}
	r.shown(p, progress.Sending, 0)
	got, err := v.Receive(ctx, transfer.ReceiveRequest{Dataset: p.Target, Volume: p.volume, To: p.snapshot.GUID, Name: p.snapshot.Name,
		Resume: p.token != "", Send: p.options()}, made,
		func(bytes uint64) { r.shown(p, progress.Sending, bytes) })
	if r.shown(p, progress.Done, got.Bytes); err != nil {
		r.shown(p, progress.Failed, got.Bytes)
	}
	if err == nil && got.Unset != "" {
		r.Run.tell(fmt.Sprintf("warning: not all properties of %q could be set: %s", p.Target, got.Unset))
	}
	return err
}

// shown tells who watches how far a stream is.
func (r *Restore) shown(p *RestorePart, state progress.State, bytes uint64) {
	if r.Run.Tracker == nil {
		return
	}
	r.Run.Tracker.Update(p.Target, func(d *progress.Dataset) {
		d.Source, d.State, d.Size, d.Bytes, d.Steps = p.Copy, state, p.Size, bytes, 1
		if state == progress.Done {
			d.Done, d.Moved, d.To = 1, 1, p.snapshot.Name
		}
	})
}

// confirm looks whether the target is what it should be.
func (r *Restore) confirm(ctx context.Context, p *RestorePart) error {
	z := r.Run.Programs.ZFS
	list, err := z.Datasets(ctx, []string{p.Target}, false, endpoint.RestoreProperty, "receive_resume_token", "encryptionroot", "keystatus")
	if err := zfs.Present(err); err != nil {
		return err
	}
	if len(list) == 0 {
		return fmt.Errorf("%q is not there", p.Target)
	}
	d := list[0]
	if p.snapshot.GUID != 0 {
		name := p.snapshot.Full(p.Target)
		guids, err := z.GUIDs(ctx, []string{name})
		switch {
		case err != nil:
			return err
		case d.Properties["receive_resume_token"].Value != "":
			return fmt.Errorf("%q is received in part", p.Target)
		case guids[name] != p.snapshot.GUID:
			return fmt.Errorf("%q is not there, or another snapshot", name)
		}
	}
	if mark, ok := markOf(d); !ok || mark != r.mark(p) {
		return fmt.Errorf("%q does not have the mark %q", p.Target, r.mark(p))
	}
	p.Locked = d.Properties["encryptionroot"].Value == p.Target && d.Properties["keystatus"].Value == "unavailable"
	return nil
}
