package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/peterbourgon/ff/v3/ffcli"

	"github.com/zrepl-tools/zrepl-tools/lib/cli"
	"github.com/zrepl-tools/zrepl-tools/lib/cursor"
	"github.com/zrepl-tools/zrepl-tools/lib/endpoint"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/job"
)

func holdsCommand(g *globals) *ffcli.Command {
	fs := g.flags("holds")
	release := fs.Bool("release", false, "release those of the job, or without a job those that belong to none, and list them")
	dry := fs.Bool("n", false, "with -release: list what would be released, and release nothing")
	return &ffcli.Command{
		Name:       "holds",
		ShortUsage: "zreplctl holds [-release [-n]] [flags] [job]",
		ShortHelp:  "List the holds and cursor bookmarks of replication on this host: name, tag, job, since when.",
		FlagSet:    fs,
		Exec: func(ctx context.Context, args []string) error {
			if len(args) > 1 {
				return cli.Usagef("holds takes at most one job")
			}
			c, err := g.load()
			if err != nil {
				return err
			}
			if *dry && !*release {
				return cli.Usagef("-n is for -release")
			}
			return g.holds(ctx, c, strings.Join(args, ""), *release, *dry)
		},
	}
}

func (g *globals) holds(ctx context.Context, c *config.Config, name string, release, dry bool) error {
	z, err := zfs.Find()
	if err != nil {
		return err
	}
	if at := slices.IndexFunc(c.Jobs, func(j *config.Job) bool { return j.Name == name }); release && !dry && at >= 0 {
		done, err := keepAway(ctx, c, c.Jobs[at]) // before the list: a run moves holds
		if err != nil {
			return err
		}
		defer done()
	}
	all, err := endpoint.Protection(ctx, z)
	if err != nil {
		return cli.Cannot("list", "holds", err)
	}
	owners := owners(c)
	var bad error
	restores := false
	for _, p := range all {
		owner := owners.of(p.Tag)
		if name != "" && owner != name && (owner != "" || !tagOf(p.Tag, name)) {
			continue
		}
		if release && name == "" && owner != "" {
			continue
		}
		if _, _, ok := cursor.RestoreOf(p.Tag); ok && release && owner != "" { // it may be running
			restores = true
			continue
		}
		if release && !dry {
			if err := endpoint.Unprotect(ctx, z, p); err != nil {
				bad = errors.Join(bad, cli.Cannot("release", p.Name, err))
				continue
			}
		}
		since := ""
		if !p.Since.IsZero() {
			since = p.Since.UTC().Format(time.RFC3339)
		}
		if err := g.stdout.Record(p.Name, p.Tag, dash(owner), dash(since)); err != nil {
			return cli.Quiet(err)
		}
	}
	if restores {
		g.say("holds of restores stay: finish each, or release it with zreplctl restore -abandon %s TARGET", name)
	}
	return bad
}

// keepAway keeps runs of a job, or of its client, away until done is called.
func keepAway(ctx context.Context, c *config.Config, j *config.Job) (done func(), err error) {
	if j.Serve == nil {
		done, err = job.KeepAway(ctx, c.Global.RunDir, j.Name)
	} else {
		done, err = keepClientsAway(ctx, c.Global.RunDir, j.Clients())
	}
	if err == nil {
		return done, nil
	}
	err = cli.Cannot("release the holds of", j.Name, err)
	if errors.Is(err, job.ErrRunning) || errors.Is(err, job.ErrServed) {
		err = cli.WithStatus(cli.TryLater, err)
	}
	return nil, err
}

func keepClientsAway(ctx context.Context, rundir string, clients []string) (done func(), err error) {
	var all []func()
	done = func() {
		for _, end := range all {
			end()
		}
	}
	for _, client := range clients {
		end, err := job.KeepClientAway(ctx, rundir, client)
		if err != nil {
			done()
			return nil, err
		}
		all = append(all, end)
	}
	return done, nil
}

// tagOf reports whether a job of this name, which is not configured any more,
// can have used the tag on this host.
func tagOf(tag, name string) bool {
	if job, _, ok := cursor.RestoreOf(tag); ok {
		return job == name
	}
	sends := func(t config.Type) bool { return tag == cursor.Tag(string(t), name) }
	return tag == cursor.LastTag(name) || sends(config.Source) || sends(config.Push) || sends(config.Local)
}

// tagOwners maps tags to the jobs that use them on this host.
type tagOwners map[string]string

// of is the job that a tag belongs to, also that of a restore; empty: none.
func (o tagOwners) of(tag string) string {
	if job, _, ok := cursor.RestoreOf(tag); ok {
		return o[cursor.LastTag(job)] // it has copies
	}
	return o[tag]
}

// owners are the tags of the configured jobs.
func owners(c *config.Config) tagOwners {
	tags := tagOwners{}
	for _, j := range c.Jobs {
		if j.Sends() {
			for _, id := range j.IDs() {
				tags[cursor.Tag(string(j.Type), id)] = j.Name
			}
		}
		if j.Receives() {
			tags[cursor.LastTag(j.Name)] = j.Name
		}
	}
	return tags
}
