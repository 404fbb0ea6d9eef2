package job

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
)

// sole refuses to go on beside what another restore to the target has held, or
// this one on copies that are not where they were: nobody would release it. The
// tag names the job and the target only, so others have the same.
func (r *Restore) sole() error {
	held := slices.Clone(r.astray)
	shorts := map[string]bool{}
	for _, p := range r.parts {
		for _, short := range p.held {
			held, shorts[short] = append(held, p.Copy+"@"+short), true
		}
	}
	switch {
	case len(r.astray) > 0:
		return advised(r.continues(), "another restore to this target is unfinished, or this one without all its copies: held is %s", some(r.astray))
	case len(shorts) > 1:
		return advised(r.instead(), "restores to this target are unfinished with more than one snapshot: held is %s", some(held))
	}
	return nil
}

// others refuses what another restore to the target has held on some of these
// copies. A restore holds its first copy before all others.
func (r *Restore) others(there map[string]zfs.Dataset) error {
	i := slices.IndexFunc(r.parts, (*RestorePart).wanted)
	if i < 0 || there[r.Target].Name != "" || len(r.parts[i].held) > 0 {
		return nil
	}
	for _, p := range r.parts {
		if len(p.held) > 0 {
			return advised(r.instead(), "another restore to this target is unfinished: held is %q", p.Copy+"@"+p.held[0])
		}
	}
	return nil
}

// continues is what to do about what is below, or was.
func (r *Restore) continues() string {
	if r.Recursive {
		return "if a copy was renamed, rename it back; or " + r.instead()
	}
	return "if it was begun with -r, continue with -r; or " + r.instead()
}

// strangers refuses a target below which is what restores from this job or
// somebody's cut receive have made, and this restore would not finish.
func (r *Restore) strangers(there map[string]zfs.Dataset) error {
	for _, name := range slices.Sorted(maps.Keys(there)) {
		if r.partAt(name) != nil {
			continue
		}
		d := there[name]
		mark, ok := markOf(d)
		switch token := d.Properties["receive_resume_token"].Value; {
		case ok && mark.job == r.Run.Job.Name:
			return advised(r.continues(), "%q was restored from %q, which is no part of this restore", name, mark.from)
		case token != "" && token != "-":
			return advised(r.continues(), "%q is a partial receive, and no part of this restore", name)
		}
	}
	return nil
}

// possible refuses the whole if a part of it cannot be.
func (r *Restore) possible(ctx context.Context) error {
	if !slices.ContainsFunc(r.parts, (*RestorePart).wanted) {
		return nil
	}
	written := []string{r.copy, r.Target}
	if r.far() {
		written = written[1:]
	}
	for _, name := range written {
		pool, _, _ := strings.Cut(name, "/")
		if only, err := r.Run.Programs.ZFS.ReadOnly(ctx, pool); err == nil && only { // without zpool the commands will say it
			return fmt.Errorf("the pool %q is imported read-only, and a restore holds the copies and writes the target", pool)
		}
	}
	for _, p := range r.parts {
		if !p.wanted() {
			continue
		}
		if name := p.snapshot.Full(p.Target); len(name) > dataset.MaxNameLen {
			return advised("name a shorter target", "%q is too long for a snapshot's name, by %d bytes", name, len(name)-dataset.MaxNameLen)
		}
		if p.keyAt != "" {
			return advised(r.over("zfs load-key "+word(p.keyAt)), "the copy %q is sent as plain text, and its key is not loaded; nothing was done", p.Copy)
		}
	}
	return nil
}

// some names the first of many.
func some(names []string) string {
	const most = 3
	var quoted []string
	for _, name := range names[:min(most, len(names))] {
		quoted = append(quoted, fmt.Sprintf("%q", name))
	}
	text := strings.Join(quoted, ", ")
	if len(names) > most {
		text += fmt.Sprintf(" and %d more", len(names)-most)
	}
	return text
}
