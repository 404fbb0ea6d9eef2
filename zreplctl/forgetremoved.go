package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/zrepl-tools/zrepl-tools/lib/cli"
	"github.com/zrepl-tools/zrepl-tools/lib/cursor"
	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/endpoint"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/hook"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/job"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
)

// removed are the files of a job, or of a client, that the configuration does
// not have.
func removed(c *config.Config, name string) []state.Left {
	return slices.DeleteFunc(job.Removed(c), func(l state.Left) bool { return l.Name != name })
}

// forgetRemoved removes what the state directory keeps of a job or a client
// that the configuration does not have, and prints each file. It refuses while
// that protects something here, or may do so on a pool that is not imported, or
// has left hooks: the name may be missing only by mistake.
func (g *globals) forgetRemoved(ctx context.Context, c *config.Config, name string, left []state.Left, dry bool) error {
	fail := func(err error) error { return cli.Cannot("forget removed job", name, err) }
	if hook.Owes(state.Of(c.Global), name) && slices.ContainsFunc(left, func(l state.Left) bool { return !l.Client }) {
		return cli.Hint(fail(errors.New("it did not finish its after_snapshot and after hooks")), "zreplctl check says what to run by hand")
	}
	z, err := zfs.Find()
	if err != nil {
		return cli.WithStatus(cli.Usage, err)
	}
	if err := allImported(ctx, z, state.Of(c.Global), left); err != nil {
		return fail(err)
	}
	all, err := endpoint.Protection(ctx, z)
	if err != nil {
		return cli.Cannot("list", "holds", err)
	}
	if err := clientsFree(c, all, left); err != nil {
		return fail(err)
	}
	known := owners(c)
	all = slices.DeleteFunc(all, func(p endpoint.Protected) bool { return known.of(p.Tag) != "" || !tagOf(p.Tag, name) })
	if len(all) > 0 {
		err := fmt.Errorf("%d holds and bookmarks of it are on this host, such as on %q", len(all), all[0].Name)
		return cli.Hint(fail(err), "if it was removed for good, zreplctl holds -release %s releases them; -n lists them before", name)
	}
	for _, l := range left {
		if err := g.removeFiles(ctx, c, l, dry); err != nil {
			if errors.Is(err, job.ErrRunning) || errors.Is(err, job.ErrServed) {
				err = cli.WithStatus(cli.TryLater, err)
			}
			return fail(err)
		}
	}
	return nil
}

// allImported refuses while a pool is away on which there may be holds: ZFS
// lists those of imported pools only.
func allImported(ctx context.Context, z *zfs.ZFS, dir state.Dir, left []state.Left) error {
	pools, err := z.Pools(ctx)
	if err != nil {
		return err
	}
	for _, l := range left {
		for _, here := range job.RemovedHere(dir, l) {
			if err := imported(pools, here); err != nil {
				return err
			}
		}
	}
	return nil
}

func imported(pools []string, here job.Here) error {
	if here.Err != nil {
		return cli.Hint(fmt.Errorf("cannot find out which pools it had: %w", here.Err),
			"if all its pools are imported, or gone for good, remove %q and run this again", here.File)
	}
	for _, name := range here.Datasets {
		if pool := dataset.Pool(name); !slices.Contains(pools, pool) {
			return cli.Hint(fmt.Errorf("pool %q, with its dataset %q, is not imported here: holds of it may be there", pool, name),
				"import the pool first; if it is gone for good, remove %q and run this again", here.File)
		}
	}
	return nil
}

// clientsFree refuses while something is protected for a client of a source:
// the client may be another job's now, and the files say what it was being
// sent.
func clientsFree(c *config.Config, all []endpoint.Protected, left []state.Left) error {
	for _, l := range left {
		for _, client := range job.RemovedClients(state.Of(c.Global), l) {
			tag := cursor.Tag(string(config.Source), client)
			at := slices.IndexFunc(all, func(p endpoint.Protected) bool { return p.Tag == tag })
			if at < 0 {
				continue
			}
			err := fmt.Errorf("its client %q still has holds and bookmarks on this host, such as on %q", client, all[at].Name)
			if j, of := job.ServedNow(c, l); of == client {
				return cli.Hint(fmt.Errorf("%w, and job %q serves it now", err, j.Name),
					"if it was renamed, name it %q again, or, when a run of that client has succeeded, remove %q and run this again", l.Name, chainsOf(c, l.Name, client))
			}
			return cli.Hint(err, "if the client was removed for good, zreplctl holds -release %s releases them", client)
		}
	}
	return nil
}

// removeFiles removes the files of one owner while no run and no connection of
// it is on.
func (g *globals) removeFiles(ctx context.Context, c *config.Config, l state.Left, dry bool) error {
	keep := job.KeepAway
	if l.Client {
		keep = job.KeepClientAway
	}
	if !dry {
		done, err := keep(ctx, c.Global.RunDir, l.Name)
		if err != nil {
			return err
		}
		defer done()
	}
	dir := state.Of(c.Global)
	for _, file := range l.Files {
		if !dry {
			if err := dir.Remove(file); err != nil {
				return err
			}
		}
		if err := g.stdout.Record(dir.Path(file)); err != nil {
			return cli.Quiet(err)
		}
	}
	return nil
}
