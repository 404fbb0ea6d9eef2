package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/zrepl-tools/zrepl-tools/lib/cli"
	"github.com/zrepl-tools/zrepl-tools/lib/cursor"
	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/endpoint"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/choose"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/job"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
)

// forgetSent forgets that a source's clients ever got datasets that it does not
// offer now: health misses them no longer, and their cursors go. Of a sink it
// forgets copies on which the client has no hold.
func (g *globals) forgetSent(ctx context.Context, c *config.Config, j *config.Job, names []string, dry bool) error {
	fail := func(err error) error { return cli.Cannot("forget datasets of job", j.Name, err) }
	z, err := zfs.Find()
	if err != nil {
		return cli.WithStatus(cli.Usage, err)
	}
	all, err := endpoint.Protection(ctx, z)
	if err != nil {
		return fail(err)
	}
	if j.Type == config.PushSink {
		err = released(j, all, names)
	} else {
		var chosen *config.Job
		if chosen, err = choose.Look(ctx, z, j); err == nil {
			err = notOffered(ctx, z, chosen, names)
		}
	}
	if err != nil {
		return fail(err)
	}
	for _, client := range j.Clients() {
		done, err := job.KeepClientAway(ctx, c.Global.RunDir, client)
		if err != nil {
			return fail(err)
		}
		err = g.forgetSentTo(ctx, z, c, client, all, names, dry)
		done()
		if err != nil {
			return fail(err)
		}
	}
	return nil
}

func (g *globals) forgetSentTo(ctx context.Context, z *zfs.ZFS, c *config.Config, client string, all []endpoint.Protected, names []string, dry bool) error {
	tag := cursor.Tag(string(config.Source), client)
	for _, p := range all {
		if ds, _, _ := dataset.Split(p.Name); p.Tag != tag || !slices.Contains(names, ds) {
			continue
		}
		if !dry {
			if err := endpoint.Unprotect(ctx, z, p); err != nil {
				return err
			}
		}
		if err := g.stdout.Record(p.Name, client); err != nil {
			return cli.Quiet(err)
		}
	}
	if !dry {
		if err := state.Of(c.Global).Common(tag).Forget(names); err != nil {
			return err
		}
	}
	were, err := job.Uncover(state.Of(c.Global), client, names, dry)
	for _, name := range were {
		if err := g.stdout.Record(name, client); err != nil {
			return cli.Quiet(err)
		}
	}
	return err
}

// released refuses datasets on which a sink's client has a hold.
func released(j *config.Job, all []endpoint.Protected, names []string) error {
	for _, p := range all {
		if ds, _, _ := dataset.Split(p.Name); p.Tag == cursor.LastTag(j.Name) && slices.Contains(names, ds) {
			return fmt.Errorf("the client still holds %q: run zreplctl forget on its host first", p.Name)
		}
	}
	return nil
}

// notOffered refuses datasets that are here and that the job offers.
func notOffered(ctx context.Context, z *zfs.ZFS, j *config.Job, names []string) error {
	for _, name := range names {
		if err := dataset.CheckName(name); err != nil {
			return fmt.Errorf("%q: %w", name, err)
		}
		if !j.Datasets.Pass(name) {
			continue
		}
		err := z.List(ctx, zfs.ListOptions{Roots: []string{name}}, func([]string) error { return nil })
		switch {
		case err == nil:
			return fmt.Errorf("the job still offers %q: leave it out in its rules, or by its property, first", name)
		case zfs.Present(err) != nil:
			return err
		}
	}
	return nil
}
