package endpoint

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
)

// moveMount mounts or unmounts, unless another change has done it already.
func (a Activation) moveMount(ctx context.Context, c Change) error {
	got, err := a.ZFS.Get(ctx, zfs.GetOptions{Properties: []string{"mounted"}, Names: []string{c.Dataset}})
	switch {
	case err != nil || got[c.Dataset]["mounted"].Value == c.New:
		return err
	case c.New == "yes":
		return a.ZFS.Mount(ctx, c.Dataset)
	}
	return a.ZFS.Unmount(ctx, c.Dataset)
}

// mounts reports whether a change mounts a filesystem, now or at the next boot.
func (c Change) mounts() bool {
	return c.Property == "mounted" && c.New == "yes" || c.Property == "canmount" && c.New == "on"
}

// checkPlace refuses to mount a dataset through a symbolic link in one of those
// above.
func (a Activation) checkPlace(ctx context.Context, ds string) error {
	names := []string{ds}
	for above := dataset.Parent(ds); above != ""; above = dataset.Parent(above) {
		names = append(names, above)
	}
	got, err := a.ZFS.Get(ctx, zfs.GetOptions{Properties: []string{"mounted", "mountpoint"}, Names: names})
	if err != nil || got[ds]["mounted"].Value == "yes" {
		return err
	}
	link, err := linkAbove(got[ds]["mountpoint"].Value, mountsOf(got, names[1:]))
	if err == nil && link != "" {
		err = fmt.Errorf("%q, on the way to its mountpoint, is a symbolic link", link)
	}
	return err
}

// mountsOf are the places of those datasets that are mounted.
func mountsOf(got map[string]map[string]zfs.Property, names []string) (places []string) {
	for _, name := range names {
		if got[name]["mounted"].Value == "yes" {
			places = append(places, got[name]["mountpoint"].Value)
		}
	}
	return places
}

// linkAbove returns a symbolic link in the path at that lies in one of the
// datasets above, which are mounted at places; empty: there is none. mount(2)
// follows links, and what copies hold comes from elsewhere: one of them would
// decide where the dataset below it appears.
func linkAbove(at string, places []string) (string, error) {
	for _, place := range places {
		below, ok := strings.CutPrefix(at, strings.TrimSuffix(place, "/")+"/")
		if !ok {
			continue
		}
		if link, err := linkBelow(place, below); err != nil || link != "" {
			return link, err
		}
	}
	return "", nil
}

// linkBelow returns the first symbolic link among the parts of a path below a
// place. What does not exist yet is made by zfs.
func linkBelow(place, below string) (string, error) {
	for part := range strings.SplitSeq(below, "/") {
		place = filepath.Join(place, part)
		info, err := os.Lstat(place)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return "", nil
		case err != nil:
			return "", err
		case info.Mode().Type() == fs.ModeSymlink:
			return place, nil
		}
	}
	return "", nil
}
