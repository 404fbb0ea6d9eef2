package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/cli"
	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/prune"
	"github.com/zrepl-tools/zrepl-tools/lib/retention"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
)

type pruner struct {
	in   io.Reader
	out  *output
	errs *cli.Out

	rules    rules
	prefix   string
	columns  columns
	protect  protection
	now      moment
	simulate string
	max      int
	began    time.Time

	listed bool // by us, and not by whom we read from

	recursive, unsorted, explain, timeline, destroy, dryRun, nul bool

	policy  *retention.Policy
	zfs     *zfs.ZFS
	spaces  prune.Spaces
	waiting []prune.Victims // to be destroyed when all is read
	total   int
	bad     bool // something could not be done, and was reported
}

func (p *pruner) run(ctx context.Context, args []string) (err error) {
	p.began = time.Now()
	if err := p.check(args); err != nil {
		return err
	}
	if p.policy, err = p.rules.policy(); err != nil {
		return err
	}
	p.out.end = cli.End(p.nul)
	if p.simulate != "" {
		return p.simulation(ctx)
	}
	if err := p.prepare(args); err != nil {
		return err
	}
	if len(args) > 0 {
		err = p.pools(ctx, args)
	} else {
		err = p.lines(ctx)
	}
	if err == nil && p.timeline {
		p.out.WriteString(retention.Legend)
	}
	if err == nil {
		err = p.out.Flush()
	}
	if err == nil && p.destroy {
		err = p.execute(ctx)
	}
	p.out.Flush() // what was decided before an error, or destroyed, is told
	if err == nil && p.bad {
		err = cli.WithStatus(cli.Failed, nil)
	}
	return cli.Quiet(err)
}

func (p *pruner) check(args []string) error {
	switch {
	case p.explain && p.timeline:
		return cli.Usagef("-explain and -timeline exclude each other")
	case p.simulate != "" && (len(args) > 0 || p.destroy || p.explain || p.protect.file != ""):
		return cli.Usagef("-simulate takes no datasets and no -destroy, -explain or -protect")
	case len(args) > 0 && (p.columns.given || p.unsorted):
		return cli.Usagef("-cols and -unsorted are for lines, not for datasets")
	case len(args) == 0 && p.recursive:
		return cli.Usagef("-r is for datasets, not for lines")
	case p.max < 0:
		return cli.Usagef("-max must not be negative: it is a number of snapshots")
	}
	for _, arg := range args {
		if err := dataset.CheckName(arg); err != nil {
			return cli.Usagef("bad dataset name %q: %w", arg, err)
		}
	}
	if !p.columns.given {
		p.columns.names = known[:4]
	}
	return nil
}

func (p *pruner) prepare(args []string) (err error) {
	if p.listed = len(args) > 0; p.listed {
		p.columns = columns{prune.Columns, true}
		if prune.NeedsCursor(p.policy) {
			p.columns.names = prune.HeldColumns
		}
	}
	if len(args) == 0 && prune.NeedsCursor(p.policy) {
		return cli.Usagef("the rule not_replicated needs datasets as arguments: lines do not tell what is replicated")
	}
	if len(args) == 0 && p.policy.NeedsSpace() {
		return cli.Usagef("the rule free needs datasets as arguments: lines do not tell how much space is free")
	}
	if p.policy.LongestArrived() > 0 {
		return cli.Hint(cli.Usagef("the rule arrived needs to know what was there before, and zprune remembers nothing"),
			"a job of zreplctl with this policy does: zreplctl prune JOB")
	}
	if err := p.protect.read(p.nul); err != nil {
		return cli.WithStatus(cli.Usage, err)
	}
	if len(p.protect.guids) > 0 && !strings.Contains(strings.Join(p.columns.names, ","), "guid") {
		return cli.Usagef("-protect has guids, and the lines have none: give -cols with guid")
	}
	if len(args) > 0 || p.destroy && !p.dryRun {
		if p.zfs, err = zfs.Find(); err != nil {
			return cli.WithStatus(cli.Usage, err)
		}
	}
	return nil
}

// lines judges what is read, a dataset while the lines of the next are read.
func (p *pruner) lines(ctx context.Context) error {
	if !p.unsorted { // a dataset leaves little behind: collecting that less often is worth some MiB
		debug.SetGCPercent(400)
	}
	decide, wait := overlapped(p.decide)
	err := p.read(ctx, newGrouper(p.columns, p.unsorted, decide))
	if last := wait(); err == nil {
		err = last
	}
	return err
}

func (p *pruner) read(ctx context.Context, groups *grouper) error {
	lines := cli.NewRecords(cli.Input(ctx, p.in), p.nul)
	for lines.Next() {
		if err := groups.add(lines.Record()); err != nil {
			return err
		}
		if lines.Number()%4096 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	if p.destroy && lines.Cut() {
		return fmt.Errorf("line %d does not end: the list seems to be cut, and nothing is destroyed", lines.Number())
	}
	return groups.end()
}

// datasets judges what zfs lists: first without what keeps snapshots, which
// ZFS then is asked about those that the policy does not keep.
func (p *pruner) datasets(ctx context.Context, args []string) error {
	var all []*group
	groups := newGrouper(p.columns, true, func(g *group) error {
		all = append(all, g)
		return nil
	})
	groups.zfs = true
	err := prune.List(ctx, p.zfs, p.columns.names, args, p.recursive, func(fields []string) error {
		return groups.add([]byte(strings.Join(fields, "\t")))
	})
	args, err = p.present(args, err)
	if err == nil {
		err = groups.end()
	}
	if err == nil {
		p.lookUpSpaces(ctx, all)
	}
	if err == nil && len(all) > 0 {
		err = p.mark(ctx, args, all)
	}
	if err != nil {
		return cli.Cannot("list the snapshots of", strings.Join(args, " "), err)
	}
	for _, g := range all {
		if err := p.decide(g); err != nil {
			return err
		}
	}
	return nil
}

// lookUpSpaces finds out what is free in the pools, if the policy needs it.
func (p *pruner) lookUpSpaces(ctx context.Context, all []*group) {
	var names []string
	for _, g := range all {
		names = append(names, g.dataset)
	}
	var err error
	if p.spaces, err = prune.LookUpSpaces(ctx, p.zfs, p.policy, names); err != nil {
		p.tell(err)
	}
}

// present says which of the arguments do not exist, and returns the others.
func (p *pruner) present(args []string, err error) ([]string, error) {
	missing, only := zfs.Missing(err)
	if !only {
		return args, err
	}
	for _, name := range missing {
		p.tell(cli.Cannot("list the snapshots of", name, errors.New("dataset does not exist")))
	}
	return slices.DeleteFunc(slices.Clone(args), func(name string) bool { return slices.Contains(missing, name) }), nil
}

func (p *pruner) tell(err error) {
	p.bad = true
	cli.Print(p.errs, "zprune", err)
}

// remember takes down what is to be destroyed, and says what only a hold or a
// clone keeps.
func (p *pruner) remember(g *group, verdicts []retention.Verdict) {
	for i, v := range verdicts {
		if v.Spared && (v.Rule == "held" || v.Rule == "clone") {
			p.kept(g.dataset+"@"+g.snaps[i].Name, v.Rule)
		}
	}
	shorts := prune.Oldest(g.snaps, verdicts)
	for i := range shorts {
		shorts[i] = strings.Clone(shorts[i]) // and not all of the group's text
	}
	if len(shorts) > 0 {
		p.waiting = append(p.waiting, prune.Victims{Dataset: g.dataset, Shorts: shorts})
		p.total += len(shorts)
	}
}

func (p *pruner) kept(name, rule string) {
	why := map[string]string{"held": "it is held", "clone": "it has clones"}[rule]
	p.errs.Say("zprune", fmt.Sprintf("kept %q: %s", name, why))
}

// execute destroys what was remembered.
func (p *pruner) execute(ctx context.Context) error {
	if p.max > 0 && p.total > p.max {
		return prune.TooMany(p.total, p.max)
	}
	var broken error // the reader of our output has gone: that is no reason to stop
	events := prune.Events{
		Gone: func(name string) error {
			if !p.explain && !p.timeline && broken == nil {
				broken = errors.Join(p.out.record(name), p.out.Flush())
			}
			return nil
		},
		Left: func(name string, err error) { p.tell(cli.Cannot("destroy", name, err)) },
		Kept: p.kept,
	}
	for _, v := range p.waiting {
		if p.dryRun {
			for _, short := range v.Shorts {
				events.Gone(v.Dataset + "@" + short)
			}
			continue
		}
		if _, _, err := prune.Destroy(ctx, p.zfs, v.Dataset, v.Shorts, events); err != nil {
			return err
		}
	}
	return broken
}
