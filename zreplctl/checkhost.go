package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/cursor"
	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/endpoint"
	"github.com/zrepl-tools/zrepl-tools/lib/plural"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/job"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/upkeep"
)

// onHost looks at this host's ZFS for what clients could do to it. Without a
// ZFS that answers there is nothing to say: the configuration may be meant for
// another host.
func onHost(ctx context.Context, c *config.Config) (warnings []*config.Problem) {
	z, err := zfs.Find()
	if err != nil {
		return nil
	}
	for _, j := range c.Jobs {
		var said []string
		switch j.Type {
		case config.PushSink:
			all := func(string) bool { return true } // below its targets
			said = append(unbounded(ctx, z, j), holdsOf(ctx, z, c, j, j.Targets(), all)...)
		case config.Source:
			roots, _ := j.Datasets.Roots()
			said = holdsOf(ctx, z, c, j, roots, j.Datasets.Pass)
		}
		for _, text := range oldExports(ctx, z, c, j, time.Now()) {
			warnings = append(warnings, c.Problem(j, "type", text))
		}
		for _, text := range said {
			warnings = append(warnings, c.Problem(j, "serve", text))
		}
		for _, text := range oldRestores(ctx, z, j, time.Now()) {
			warnings = append(warnings, c.Problem(j, "type", text))
		}
		for _, text := range setAside(ctx, z, j) {
			warnings = append(warnings, c.Problem(j, "recv", text))
		}
	}
	return warnings
}

// setAside names what runs have set aside of a job's copies: it takes space until
// somebody destroys it.
func setAside(ctx context.Context, z *zfs.ZFS, j *config.Job) (said []string) {
	if !j.Receives() {
		return nil
	}
	all, _ := endpoint.AsidesOf(ctx, z, j.Targets())
	for _, name := range slices.Sorted(maps.Keys(all)) {
		said = append(said, fmt.Sprintf("%q was set aside, which was the copy %q: zreplctl status says when the new copy is complete; after that, if nobody needs this one: zfs destroy -r %s", name, all[name], name))
	}
	return said
}

// unbounded finds the targets of a sink above which no quota stands.
func unbounded(ctx context.Context, z *zfs.ZFS, j *config.Job) (said []string) {
	for _, root := range j.Targets() {
		if quota, err := endpoint.Quota(ctx, z, root); err == nil && quota == "" {
			said = append(said, fmt.Sprintf("no quota is set on %q or above it: the client can fill the pool", root))
		}
	}
	return said
}

// holdsOf finds holds on what a job offers or receives that a person may want
// to know of.
func holdsOf(ctx context.Context, z *zfs.ZFS, c *config.Config, j *config.Job, roots []string, passes func(string) bool) []string {
	held, err := endpoint.Held(ctx, z, roots, passes)
	if err != nil || len(held) == 0 {
		return nil
	}
	return append(oldHolds(ctx, z, j, held), unowned(ctx, z, c, held)...)
}

// unowned finds holds for clients that no job serves, and of jobs that are not
// in the configuration: of one that was renamed, perhaps. Nobody releases these.
func unowned(ctx context.Context, z *zfs.ZFS, c *config.Config, held []string) (said []string) {
	all, err := z.Holds(ctx, held)
	if err != nil {
		return nil
	}
	known, count := owners(c), map[string]int{}
	for _, tags := range all {
		for _, tag := range tags {
			if _, name := tagged(tag); name != "" && known.of(tag) == "" {
				count[tag]++
			}
		}
	}
	for _, tag := range slices.Sorted(maps.Keys(count)) {
		what, name := tagged(tag)
		why, command := "no job here has that "+what, "zreplctl holds -release "+name
		if slices.ContainsFunc(c.Jobs, func(j *config.Job) bool { return j.Name == name }) {
			why, command = "the job of that name does not use it", "zreplctl holds -release" // with the name it would release what that job needs
		}
		said = append(said, fmt.Sprintf("the hold %q is on %s, and %s: if it was renamed or removed, %s releases what it left", tag, plural.Of(count[tag], "snapshot"), why, command))
	}
	return said
}

// tagged is whose a hold is, by its tag: a client's or a job's. Name is empty if
// the tag is not one that jobs use.
func tagged(tag string) (what, name string) {
	if client, ok := strings.CutPrefix(tag, cursor.Tag(string(config.Source), "")); ok {
		return "client", client
	}
	if name, _, ok := cursor.RestoreOf(tag); ok {
		return "name", name
	}
	for _, start := range []string{cursor.Tag(string(config.Push), ""), cursor.Tag(string(config.Local), ""), cursor.LastTag("")} {
		if name, ok := strings.CutPrefix(tag, start); ok {
			return "name", name
		}
	}
	return "", ""
}

// oldHolds finds the client's holds that are older than max_hold.
func oldHolds(ctx context.Context, z *zfs.ZFS, j *config.Job, held []string) (said []string) {
	old, _ := endpoint.OldHolds(ctx, z, held, upkeep.ClientTags(j), time.Now().Add(-j.MaxHold))
	for _, h := range old {
		said = append(said, upkeep.TooOld(j, h))
	}
	return said
}

// restoreDays is how long a restore may take.
const restoreDays = 30

// oldRestores finds the holds of restores from a job's copies that nobody has
// finished.
func oldRestores(ctx context.Context, z *zfs.ZFS, j *config.Job, now time.Time) (said []string) {
	if !j.Receives() {
		return nil
	}
	held, err := endpoint.Held(ctx, z, j.Targets(), func(string) bool { return true })
	if err != nil {
		return nil
	}
	holds, _ := z.HoldTimes(ctx, held)
	count := map[string]int{}
	for _, h := range holds {
		if name, target, ok := cursor.RestoreOf(h.Tag); ok && name == j.Name && !h.Since.IsZero() && now.Sub(h.Since) > restoreDays*24*time.Hour {
			count[target]++
		}
	}
	for _, target := range slices.Sorted(maps.Keys(count)) {
		whose, there := "a restore", target
		if over, ok := strings.CutPrefix(target, "/"); ok {
			whose, there = "the client's restore", over
		}
		said = append(said, fmt.Sprintf("%s to %q has held %s for more than %d days: finish it, or zreplctl restore -abandon %s %s releases what it holds", whose, there, plural.Of(count[target], "snapshot"), restoreDays, j.Name, shellWord(target)))
	}
	return said
}

// exportDays is how long an export may wait for its import.
const exportDays = 30

// oldExports finds what a push or local job holds without having continued from
// it: exports that nobody has imported. A source has max_hold for that.
func oldExports(ctx context.Context, z *zfs.ZFS, c *config.Config, j *config.Job, now time.Time) (said []string) {
	if j.Type != config.Push && j.Type != config.Local {
		return nil
	}
	rules := j.Sources()
	roots, _ := rules.Roots()
	held, err := endpoint.Held(ctx, z, roots, rules.Pass)
	if err != nil || len(held) == 0 {
		return nil
	}
	tags := []string{cursor.Tag(string(j.Type), j.Name)}
	old, _ := endpoint.OldHolds(ctx, z, held, tags, now.Add(-exportDays*24*time.Hour))
	var names []string
	for _, h := range old {
		names = append(names, h.Snapshot)
	}
	guids, err := z.GUIDs(ctx, names)
	bases, berr := job.ReadBases(state.Of(c.Global), j.Name)
	if err != nil || berr != nil {
		return nil
	}
	names = slices.DeleteFunc(names, func(name string) bool {
		ds, _, _ := dataset.Split(name)
		return slices.Contains(bases.Source[ds], guids[name])
	})
	if len(names) == 0 {
		return nil
	}
	slices.Sort(names)
	return []string{fmt.Sprintf("it has held %s for more than %d days, such as %q, and no run has continued from there: import what zreplctl export wrote, or run the job, which releases what it does not need", plural.Of(len(names), "snapshot"), exportDays, names[0])}
}
