package job

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/endpoint"
	"github.com/zrepl-tools/zrepl-tools/lib/mapfilter"
	"github.com/zrepl-tools/zrepl-tools/lib/peek"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
)

// filesystem is a dataset of this host in which a file can be.
type filesystem struct {
	name   string
	source string // its name on the source, which is the same if it is that
	place  string // its mountpoint, mounted or not; empty: none
	at     string // where it is mounted; empty: it is not
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
	list, err := f.Run.Programs.ZFS.Datasets(ctx, roots, true, "mountpoint", "mounted", "encryption", "encryptionroot", "keystatus", endpoint.PlaceholderProperty, endpoint.ZreplPlaceholder)
	if err := zfs.Present(err); err != nil {
		return nil, err
	}
	for _, d := range list {
		source, ok := f.sourceOf(d.Name)
		if !ok || endpoint.Marked(d) {
			continue
		}
		one := filesystem{name: d.Name, source: source, volume: d.Type == "volume"}
		if at := d.Properties["mountpoint"].Value; strings.HasPrefix(at, "/") {
			one.place = at
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

// sourceOf is the source's name of a dataset of this host that is the job's.
func (f *Files) sourceOf(name string) (source string, ok bool) {
	j := f.Run.Job
	switch {
	case !j.Receives():
		return name, j.Sources().Pass(name)
	case j.Root != "":
		source, ok = strings.CutPrefix(name, j.Root+"/")
		return source, ok
	}
	if sources := j.Mapping.Sources(name, 1); len(sources) > 0 {
		return sources[0], true
	}
	return name, true // a copy that the rules do not make any more
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

// guess finds the dataset by the path alone: the longest mountpoint above it, or the
// longest name of a dataset, or of its end if the mountpoints of the sources are not
// known.
func (f *Files) guess(all []filesystem) (inside string, err error) {
	ways := []func(filesystem) string{
		func(s filesystem) string { return s.place },
		func(s filesystem) string { return s.source },
		func(s filesystem) string { return s.name },
	}
	if !strings.HasPrefix(f.Path, "/") {
		ways = ways[1:] // a name of a dataset with a path, as in tank/home/alice/letters
	}
	for _, way := range ways {
		if found, inside := longest(all, f.Path, func(s filesystem) []string { return []string{way(s)} }); len(found) == 1 {
			f.fs = found[0]
			return inside, nil
		}
	}
	found, inside := longest(all, f.Path, ends)
	switch hint := "name it: -dataset DATASET"; {
	case !strings.HasPrefix(f.Path, "/"):
		return "", advised("begin the path with a dataset, or with /; or "+hint, "no dataset of the job has %q", f.Path)
	case len(found) == 0:
		return "", advised(hint, "the mountpoints of the sources are not known here, and no dataset is named like %q", f.Path)
	case len(found) > 1:
		return "", advised(hint, "%q can be in %q and in %q", f.Path, found[0].source, found[1].source)
	}
	f.fs = found[0]
	f.Run.tell(fmt.Sprintf("looks in %s, whose name is like the path; -dataset names another", f.fs.name))
	return inside, nil
}

// ends are the ends of a source's name: home/alice and alice of tank/home/alice.
func ends(s filesystem) (all []string) {
	for name, more := s.source, true; more; {
		if _, name, more = strings.Cut(name, "/"); more {
			all = append(all, name)
		}
	}
	return all
}

// longest finds the filesystems one of whose names is the longest above a path, and
// the rest of the path.
func longest(all []filesystem, path string, names func(filesystem) []string) (found []filesystem, inside string) {
	most := 0
	for _, s := range all {
		for _, name := range names(s) {
			rest, ok := below(path, name)
			if !ok || len(name) < most {
				continue
			}
			if len(name) > most {
				found = nil
			}
			found, inside, most = append(found, s), rest, len(name)
		}
	}
	return found, inside
}

// below is the rest of a path below a mountpoint or a name; a path is its own.
func below(path, top string) (rest string, ok bool) {
	if top == "" {
		return "", false
	}
	top, path = "/"+strings.Trim(top, "/"), "/"+strings.TrimLeft(path, "/")
	switch {
	case top == "/":
		return path, true
	case !dataset.Within(path, top):
		return "", false
	}
	return strings.TrimPrefix(strings.TrimPrefix(path, top), "/"), true
}
