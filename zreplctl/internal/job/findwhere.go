package job

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/endpoint"
	"github.com/zrepl-tools/zrepl-tools/lib/mapfilter"
	"github.com/zrepl-tools/zrepl-tools/lib/peek"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
)

// filesystem is a dataset of this host in which a file can be.
type filesystem struct {
	name   string
	source string // its name on the source, which is the same if it is that
	guid   string
	place  string // its mountpoint, mounted or not; empty: none, or canmount=off says that nothing is
	at     string // where it is mounted; empty: it is not
	stray  bool   // the job's rules do not make it: it is meant only by its full name
	keyAt  string // the encryption root whose key is not loaded; empty: none is missing
	volume bool
}

// readable says why no file of it can be read.
func (s filesystem) readable() error {
	switch {
	case s.volume:
		return advised("zreplctl restore makes a new volume of it", "%q is a volume, and has no files", s.name)
	case s.keyAt != "":
		return advised("run: zfs load-key "+s.keyAt+"; afterwards: zfs unload-key "+s.keyAt, "%q is encrypted, and its key is not loaded", s.name)
	}
	return nil
}

// resolve finds the dataset, and the path in it.
func (f *Files) resolve(ctx context.Context) error {
	all, err := f.filesystems(ctx)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return fmt.Errorf("the job has no dataset on this host")
	}
	if f.Path, err = cleanPath(f.Path); err != nil {
		return err
	}
	inside := ""
	if f.Dataset != "" {
		inside, err = f.named(all)
	} else {
		inside, err = f.guess(all)
	}
	if err != nil {
		return err
	}
	f.inside, err = peek.Path(inside)
	return err
}

// cleanPath: as for the system, home/alice/../bob is home/bob, which can be another
// dataset. Of a path that begins with a name, nobody knows what is above.
func cleanPath(name string) (string, error) {
	if !strings.HasPrefix(name, "/") && slices.Contains(strings.Split(name, "/"), "..") {
		return "", fmt.Errorf("%q has \"..\" and does not begin with /", name)
	}
	return path.Clean(name), nil
}

// filesystems are the job's datasets of this host: its copies, if it has any here.
func (f *Files) filesystems(ctx context.Context) (all []filesystem, err error) {
	j := f.Run.Job
	roots := j.Targets()
	if !j.Receives() {
		everything := false
		if roots, everything = j.Sources().Roots(); everything {
			roots = nil
		}
	}
	list, err := f.Run.Programs.ZFS.Datasets(ctx, roots, true, "guid", "mountpoint", "canmount", "mounted", "encryption", "encryptionroot", "keystatus", endpoint.PlaceholderProperty, endpoint.ZreplPlaceholder)
	if err := zfs.Present(err); err != nil {
		return nil, err
	}
	for _, d := range list {
		source, stray, ok := f.sourceOf(d.Name)
		if !ok || endpoint.Marked(d) || f.ofAnother(d.Name) {
			continue
		}
		one := filesystem{name: d.Name, source: source, guid: d.Properties["guid"].Value, volume: d.Type == "volume", stray: stray}
		if at := d.Properties["mountpoint"].Value; strings.HasPrefix(at, "/") {
			if !f.neverMounted(d) {
				one.place = at
			}
			if d.Properties["mounted"].Value == "yes" {
				one.at = at
			}
		}
		if e := d.Properties["encryption"].Value; e != "" && e != "off" && d.Properties["keystatus"].Value != "available" {
			one.keyAt = d.Properties["encryptionroot"].Value
		}
		all = append(all, one)
	}
	return all, nil
}

// neverMounted: a dataset with canmount=off only hands its mountpoint down, and the
// files there are another's. A copy can have been given it by this host's own rules,
// and then its source was mounted all the same.
func (f *Files) neverMounted(d zfs.Dataset) bool {
	canmount := d.Properties["canmount"]
	return canmount.Value == "off" && (!f.Run.Job.Receives() || canmount.Source == "received")
}

// ofAnother: where jobs share a target, what is below another's own is of another
// peer, who can give its datasets any name.
func (f *Files) ofAnother(name string) bool {
	j := f.Run.Job
	if !j.Receives() {
		return false
	}
	deepest := func(j *config.Job) (n int) {
		for _, target := range j.Targets() {
			if dataset.Within(name, target) {
				n = max(n, len(target))
			}
		}
		return n
	}
	own := deepest(j)
	return slices.ContainsFunc(f.Jobs, func(other *config.Job) bool {
		return other.Name != j.Name && other.Receives() && deepest(other) > own
	})
}

// sourceOf is the source's name of a dataset of this host that is the job's; stray: a
// copy that the rules do not make, or not any more.
func (f *Files) sourceOf(name string) (source string, stray, ok bool) {
	j := f.Run.Job
	switch {
	case !j.Receives():
		return name, false, j.Sources().Pass(name)
	case j.Root != "":
		source, ok = strings.CutPrefix(name, j.Root+"/")
		return source, false, ok
	}
	if sources := j.Mapping.Sources(name, 1); len(sources) > 0 {
		return sources[0], false, true
	}
	return name, true, true
}

// named takes the dataset that was named, and the path below its mountpoint or root.
func (f *Files) named(all []filesystem) (inside string, err error) {
	name := f.Dataset
	if f.Run.Job.Receives() {
		if copied, ok := meantCopy(f.Run.Job, f.Dataset); ok {
			name = copied
		}
	}
	i := slices.IndexFunc(all, func(s filesystem) bool { return s.name == name })
	if i < 0 {
		return "", advised(fmt.Sprintf("zreplctl show %s rules prints what it covers", f.Run.Job.Name),
			"the job has no dataset %q on this host", mapfilter.Show(f.Dataset))
	}
	f.fs = all[i]
	if rest, ok := below(f.Path, f.fs.place); ok && f.fs.place != "/" && strings.HasPrefix(f.Path, "/") {
		return rest, nil
	}
	return f.Path, nil
}
