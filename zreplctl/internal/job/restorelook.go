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
	if err := r.sole(); err != nil {
		return err
	}
	if err := r.choose(ctx, there); err != nil {
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
	if err := r.others(there); err != nil {
		return err
	}
	if err := r.strangers(there); err != nil {
		return err
	}
	return r.possible(ctx)
}

// list lists the copies, their snapshots, and those of them that an earlier run
// has held.
func (r *Restore) list(ctx context.Context) error {
	parts, err := r.from.list(ctx)
	if err != nil {
		return err
	}
	if len(parts) == 0 {
		return fmt.Errorf("the copy %q does not exist", r.copy)
	}
	at := map[string]*RestorePart{}
	for _, p := range parts {
		p.Target = r.Target + strings.TrimPrefix(p.Copy, r.copy)
		if err := dataset.CheckName(p.Target); err != nil {
			return fmt.Errorf("bad target name %q: %w", p.Target, err)
		}
		r.parts, at[p.Copy] = append(r.parts, p), p
	}
	ours, err := r.from.tagged(ctx) // everywhere: a copy may have been renamed
	for _, name := range ours {
		ds, _, short := dataset.Split(name)
		if p := at[ds]; p != nil {
			p.held = append(p.held, short)
		} else {
			r.astray = append(r.astray, name)
		}
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
		p.keyAt = d.Properties["encryptionroot"].Value
	}
	token := d.Properties["receive_resume_token"].Value
	p.carrier = endpoint.Marked(d) && (token == "" || token == "-")
	return p
}

// there are the datasets at the target and below, also without -r.
func (r *Restore) there(ctx context.Context) (map[string]zfs.Dataset, error) {
	list, err := r.Run.Programs.ZFS.Datasets(ctx, []string{r.Target}, true, endpoint.RestoreProperty, "receive_resume_token")
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
