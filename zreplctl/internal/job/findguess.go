package job

import (
	"fmt"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
)

// A match is a dataset that a path can mean, and how much of the path names it.
type match struct {
	fs     filesystem
	inside string
	length int
}

// guess finds the dataset by the path alone: the longest mountpoint above it, or the
// longest name of a dataset, or of its end if the mountpoints of the sources are not
// known. It says which one.
func (f *Files) guess(all []filesystem) (inside string, err error) {
	for _, way := range f.ways() {
		found := matches(all, f.Path, way)
		if best := longest(found); len(best) == 1 {
			return f.take(best[0])
		} else if len(best) > 1 {
			return "", f.either(best[0], best[1])
		}
	}
	hint := "name it: -dataset DATASET"
	switch {
	case !strings.HasPrefix(f.Path, "/"):
		return "", advised("begin the path with a dataset, or with /; or "+hint, "no dataset of the job has %q", f.Path)
	case !f.Run.Job.Receives():
		return "", advised(hint, "no dataset of the job is mounted above %q", f.Path)
	}
	return f.byEnd(all, hint)
}

// ways are what names a dataset, the surest first. On the source, what is mounted has
// the path now; two boot environments, for one, have the same mountpoint.
func (f *Files) ways() (all []func(filesystem) []string) {
	if strings.HasPrefix(f.Path, "/") {
		if !f.Run.Job.Receives() {
			all = append(all, func(s filesystem) []string { return []string{s.at} })
		}
		all = append(all, func(s filesystem) []string {
			if s.stray {
				return nil
			}
			return []string{s.place}
		})
	}
	return append(all, // also without /, as in tank/home/alice/letters
		func(s filesystem) []string { return []string{s.source} },
		func(s filesystem) []string { return []string{s.name} })
}

// byEnd finds the dataset the end of whose name is like the path. A source names its
// datasets as it likes, and so a longer end is not enough if another dataset, which is
// not above that one, fits as well.
func (f *Files) byEnd(all []filesystem, hint string) (inside string, err error) {
	found := matches(all, f.Path, ends)
	best := longest(found)
	if len(best) == 0 {
		return "", advised(hint, "the mountpoints of the sources are not known here, and no dataset is named like %q", f.Path)
	}
	for _, other := range found {
		if !dataset.Within(best[0].fs.name, other.fs.name) {
			return "", f.either(best[0], other)
		}
	}
	return f.take(best[0])
}

func (f *Files) take(m match) (inside string, err error) {
	f.fs = m.fs
	what := "itself"
	if rest := strings.TrimPrefix(m.inside, "/"); rest != "" {
		what = fmt.Sprintf("for %q", rest)
	}
	f.Run.tell(fmt.Sprintf("looks in %s %s; -dataset names another", f.fs.name, what))
	return m.inside, nil
}

func (f *Files) either(a, b match) error {
	return advised("name it: -dataset DATASET", "%q can be in %q and in %q", f.Path, a.fs.name, b.fs.name)
}

// ends are the ends of a source's name: home/alice and alice of tank/home/alice.
func ends(s filesystem) (all []string) {
	if s.stray {
		return nil
	}
	for name, more := s.source, true; more; {
		if _, name, more = strings.Cut(name, "/"); more {
			all = append(all, name)
		}
	}
	return all
}

// matches are all filesystems one of whose names is above a path, each with the longest.
func matches(all []filesystem, path string, names func(filesystem) []string) (found []match) {
	for _, s := range all {
		best := match{}
		for _, name := range names(s) {
			if rest, ok := below(path, name); ok && len(name) > best.length {
				best = match{s, rest, len(name)}
			}
		}
		if best.length > 0 {
			found = append(found, best)
		}
	}
	return found
}

func longest(found []match) (best []match) {
	for _, m := range found {
		if len(best) > 0 && m.length > best[0].length {
			best = nil
		}
		if len(best) == 0 || m.length == best[0].length {
			best = append(best, m)
		}
	}
	return best
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
