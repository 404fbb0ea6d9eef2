package prune

import (
	"context"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
)

// fewUnknown is one of how many snapshots may have an unknown creation for
// these to be asked about by name. More are looked for in a list of all.
const fewUnknown = 4

// dates fills in the creations of snapshots: those that are known from an
// earlier run, and those that ZFS is asked for. A snapshot that has gone
// meanwhile is taken out of its group.
func (o Options) dates(ctx context.Context, z *zfs.ZFS, groups []Group) error {
	var unknown []string
	total := 0
	for _, g := range groups {
		for i := range g.Snapshots {
			s := &g.Snapshots[i]
			total++
			var ok bool
			if s.Creation, ok = o.Known(g.GUIDs[i], s.CreateTXG); !ok {
				unknown = append(unknown, g.Dataset+"@"+s.Name)
			}
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	found, err := o.ask(ctx, z, unknown, total)
	if err != nil {
		return err
	}
	asked := make(map[string]bool, len(unknown))
	for _, name := range unknown {
		asked[name] = true
	}
	for at := range groups {
		groups[at].date(asked, found)
	}
	return nil
}

type date struct {
	guid     dataset.GUID
	creation int64
}

// ask looks up creations, by the names of snapshots.
func (o Options) ask(ctx context.Context, z *zfs.ZFS, unknown []string, total int) (map[string]date, error) {
	found := make(map[string]date, len(unknown))
	list := zfs.ListOptions{Types: []string{"snapshot"}, Columns: []string{"name", "guid", "creation"}}
	each := func(fields []string) error {
		_, _, guid, err := named(fields)
		if err != nil {
			return err
		}
		at, err := Creation(fields[0], fields[2])
		found[strings.Clone(fields[0])] = date{guid, at}
		return err
	}
	if len(unknown) > total/fewUnknown {
		list.Roots, list.Recursive = o.Roots, o.Recursive
		if !o.Recursive {
			list.Depth = 1
		}
		return found, zfs.Present(z.List(ctx, list, each))
	}
	return found, byName(ctx, z, list, unknown, each)
}

// byName lists snapshots by their names. Those that are gone are left out.
func byName(ctx context.Context, z *zfs.ZFS, list zfs.ListOptions, names []string, each func(fields []string) error) error {
	for len(names) > 0 {
		n := zfs.FitArgs(names)
		list.Roots = names[:n]
		if err := zfs.Present(z.List(ctx, list, each)); err != nil {
			return err
		}
		names = names[n:]
	}
	return nil
}

func (g *Group) date(asked map[string]bool, found map[string]date) {
	kept := 0
	for i, s := range g.Snapshots {
		if name := g.Dataset + "@" + s.Name; asked[name] {
			d, ok := found[name]
			if !ok || d.guid != g.GUIDs[i] {
				continue
			}
			s.Creation = d.creation
		}
		g.Snapshots[kept], g.GUIDs[kept] = s, g.GUIDs[i]
		kept++
	}
	g.Snapshots, g.GUIDs = g.Snapshots[:kept], g.GUIDs[:kept]
}

// Use is why a snapshot cannot be destroyed.
type Use struct {
	GUID         dataset.GUID
	Held, Cloned bool
}

// Uses looks up what keeps snapshots, by full name. The clones also show
// partial receives. Those that are gone are not in the answer.
func Uses(ctx context.Context, z *zfs.ZFS, names []string) (map[string]Use, error) {
	found := make(map[string]Use, len(names))
	list := zfs.ListOptions{Types: []string{"snapshot"}, Columns: []string{"name", "guid", "userrefs", "clones"}}
	err := byName(ctx, z, list, names, func(fields []string) error {
		_, _, guid, err := named(fields)
		found[strings.Clone(fields[0])] = Use{guid, held(fields[2]), cloned(fields[3])}
		return err
	})
	return found, err
}

func held(userrefs string) bool { return userrefs != "0" && userrefs != "-" }
func cloned(clones string) bool { return clones != "" && clones != "-" }

// why says what keeps a snapshot, "" if nothing does.
func (u Use) why() string {
	switch {
	case u.Held:
		return "held"
	case u.Cloned:
		return "clone"
	}
	return ""
}
