package job

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/endpoint"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
)

// look finds the copies, chooses the snapshot, and refuses what is in the way.
func (r *Restore) look(ctx context.Context) error {
	if err := r.place(ctx); err != nil {
		return err
	}
	if err := r.list(ctx); err != nil {
		return err
	}
	there, err := r.there(ctx)
	if err != nil {
		return err
	}
	if err := r.choose(there); err != nil {
		return err
	}
	guids, err := r.guidsThere(ctx, there)
	if err != nil {
		return err
	}
	for _, p := range r.parts {
		if d, ok := there[p.Target]; ok {
			if err := r.judge(p, d, guids); err != nil {
				return err // all below it would say the same
			}
		}
	}
	return nil
}

// list lists the copies, their snapshots, and those of them that an earlier run
// has held.
func (r *Restore) list(ctx context.Context) error {
	z := r.Run.Programs.ZFS
	sets, err := z.Datasets(ctx, []string{r.copy}, r.Recursive, "encryption", "encryptionroot", "keystatus", endpoint.SendProperty, endpoint.PlaceholderProperty, endpoint.ZreplPlaceholder)
	if err := zfs.Present(err); err != nil {
		return err
	}
	if len(sets) == 0 {
		return fmt.Errorf("the copy %q does not exist", r.copy)
	}
	at := map[string]*RestorePart{}
	for _, d := range sets {
		p := partOf(d)
		p.Target = r.Target + strings.TrimPrefix(d.Name, r.copy)
		if err := dataset.CheckName(p.Target); err != nil {
			return fmt.Errorf("bad target name %q: %w", p.Target, err)
		}
		r.parts, at[d.Name] = append(r.parts, p), p
	}
	err = z.Snapshots(ctx, []string{r.copy}, r.Recursive, func(ds string, v dataset.Version) error {
		if p := at[ds]; p != nil {
			p.snapshots = append(p.snapshots, v)
		}
		return nil
	})
	if err != nil {
		return err
	}
	held, err := endpoint.Held(ctx, z, []string{r.copy}, func(ds string) bool { return at[ds] != nil })
	if err != nil {
		return err
	}
	ours, err := r.ours(ctx, held)
	for _, name := range ours {
		ds, _, short := dataset.Split(name)
		at[ds].held = append(at[ds].held, short)
	}
	return err
}

// partOf is what a copy says of itself. One that was received raw is sent raw. Of
// an encrypted one that was not it is known that it came as plain text; of all
// others it is not, and they stay sealed.
func partOf(d zfs.Dataset) *RestorePart {
	p := &RestorePart{Copy: d.Name, volume: d.Type == "volume"}
	sent := d.Properties[endpoint.SendProperty]
	encryption := d.Properties["encryption"].Value
	encrypted := encryption != "off" && encryption != ""
	if opts, err := dataset.ParseSendOptions(sent.Value); err == nil && sent.Source == "local" {
		p.plain = !opts.Raw
	}
	p.raw = encrypted && !p.plain
	if p.plain = p.plain && encrypted; p.plain && d.Properties["keystatus"].Value != "available" {
		p.Err = advised("zfs load-key "+d.Properties["encryptionroot"].Value, "it is sent as plain text, and its key is not loaded")
	}
	for _, mark := range []string{endpoint.PlaceholderProperty, endpoint.ZreplPlaceholder} {
		p.carrier = p.carrier || d.Properties[mark].Source == "local"
	}
	return p
}

// there are the datasets at the target.
func (r *Restore) there(ctx context.Context) (map[string]zfs.Dataset, error) {
	list, err := r.Run.Programs.ZFS.Datasets(ctx, []string{r.Target}, r.Recursive, endpoint.RestoreProperty, "receive_resume_token")
	if err := zfs.Present(err); err != nil {
		return nil, err
	}
	there := map[string]zfs.Dataset{}
	for _, d := range list {
		there[d.Name] = d
	}
	return there, nil
}

// guidsThere are the guids of the snapshots that marks speak of.
func (r *Restore) guidsThere(ctx context.Context, there map[string]zfs.Dataset) (map[string]dataset.GUID, error) {
	var names []string
	for _, d := range there {
		if mark, ok := markOf(d); ok && dataset.CheckShort(mark.short()) == nil {
			names = append(names, d.Name+"@"+mark.short())
		}
	}
	slices.Sort(names)
	return r.Run.Programs.ZFS.GUIDs(ctx, names)
}

// choose chooses one snapshot for all: that which was asked for, or with which an
// earlier run has begun, or the newest of the first copy that has any.
func (r *Restore) choose(there map[string]zfs.Dataset) error {
	begun := r.begun(there)
	if begun != "" && r.Snapshot != "" && begun != r.Snapshot {
		return advised(fmt.Sprintf("continue with @%s; or %s", begun, r.instead()),
			"a restore to %q has begun with @%s, not @%s", r.Target, begun, r.Snapshot)
	}
	want := r.Snapshot
	if want == "" {
		want = begun
	}
	for _, p := range r.parts {
		p.carrier = p.carrier && len(p.snapshots) == 0
		dataset.Sort(p.snapshots)
		if want == "" && len(p.snapshots) > 0 {
			want = p.snapshots[len(p.snapshots)-1].Name
		}
	}
	for _, p := range r.parts {
		p.State = RestoreMissing
		if i := slices.IndexFunc(p.snapshots, func(v dataset.Version) bool { return v.Name == want }); i >= 0 {
			p.State, p.snapshot = RestoreFull, p.snapshots[i]
		}
	}
	return r.prepare(want, there)
}

// prepare leaves empty copies out that carry none of those to be restored, and
// says what is missing.
func (r *Restore) prepare(want string, there map[string]zfs.Dataset) error {
	carries := map[string]bool{}
	for _, p := range slices.Backward(r.parts) {
		if p.carrier && carries[p.Copy] {
			p.State = RestoreCarrier
		}
		if p.State != RestoreMissing {
			carries[dataset.Parent(p.Copy)] = true
		}
	}
	r.parts = slices.DeleteFunc(r.parts, func(p *RestorePart) bool { return p.carrier && p.State == RestoreMissing })
	switch {
	case want == "":
		return fmt.Errorf("the copy %q has no snapshot", r.copy)
	case len(r.parts) == 0 || r.parts[0].Copy != r.copy || r.parts[0].State == RestoreMissing && there[r.Target].Name == "":
		return advised(fmt.Sprintf("zfs list -t snapshot %s shows which it has", r.copy), "the copy %q has no snapshot @%s", r.copy, want)
	}
	for _, p := range r.parts {
		if p.State == RestoreMissing {
			p.Err = fmt.Errorf("the copy has no snapshot @%s", want)
		}
	}
	return nil
}

// begun is the snapshot with which an earlier run has begun; empty: there was none.
func (r *Restore) begun(there map[string]zfs.Dataset) string {
	for _, p := range r.parts {
		if mark, ok := markOf(there[p.Target]); ok && mark.of(r, p) && mark.guid != 0 {
			return mark.short()
		}
		if len(p.held) > 0 {
			return p.held[0]
		}
	}
	return ""
}
