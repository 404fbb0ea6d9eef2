package state

import (
	"os"
	"slices"
	"strings"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/cursor"
	"github.com/zrepl-tools/zrepl-tools/lib/identity"
)

// Owner is whose files are: a job's, or a client's that jobs serve.
type Owner struct {
	Name   string
	Client bool
}

// Left is what a directory keeps of one owner.
type Left struct {
	Owner
	Files  []string // without the directory
	Newest time.Time
}

// The endings of the files of one job, of one client, and of one cursor's tag.
var (
	jobEndings = []string{".json", ".log", ".begun", ".progress", ".bases", ".schedule", ".covered", ".verified", ".verified.damaged", ".holds",
		".paused", ".settled", ".hooks", ".offered", ".received", ".seeding", ".arrivals.source", ".arrivals.target", ".creations.source", ".creations.target"}
	clientEndings = []string{".sessions", ".owner"}
	tagEndings    = []string{".common", ".kept"}
	// More endings that any of them may have.
	moreEndings = []string{".lock", ".new", ".old"}
)

// Left lists what is kept of those owners that are not known, in order. Files
// that it does not recognise are nobody's.
func (d Dir) Left(known func(Owner) bool) (all []Left) {
	if d.IsNone() {
		return nil
	}
	entries, _ := os.ReadDir(d.path) // one that is missing has none
	at := map[Owner]int{}
	for _, entry := range entries {
		owner, ok := ownerOf(entry.Name())
		info, err := entry.Info()
		if !ok || err != nil || !info.Mode().IsRegular() || identity.Check(owner.Name) != nil || known(owner) {
			continue
		}
		i, seen := at[owner]
		if !seen {
			i, at[owner] = len(all), len(all)
			all = append(all, Left{Owner: owner})
		}
		all[i].Files = append(all[i].Files, entry.Name())
		if info.ModTime().After(all[i].Newest) {
			all[i].Newest = info.ModTime()
		}
	}
	return all
}

// Receivers lists those to whom the owner sent, as far as the names of its
// files tell: a source's clients, and a job that replicates itself.
func (l Left) Receivers() (ids []string) {
	for _, file := range l.Files {
		chains, cut := strings.CutSuffix(withoutMore(file), chainsEnd)
		if id, named := strings.CutPrefix(chains, l.Name+"@"); cut && named && identity.Check(id) == nil && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// withoutMore cuts the endings that any file may have.
func withoutMore(file string) string {
	for more := true; more; {
		more = false
		for _, ending := range moreEndings {
			if rest, cut := strings.CutSuffix(file, ending); cut {
				file, more = rest, true
			}
		}
	}
	return file
}

// ownerOf tells whose file has a name.
func ownerOf(file string) (o Owner, ok bool) {
	if strings.HasPrefix(file, ".") {
		return o, false
	}
	file = withoutMore(file)
	if chains, cut := strings.CutSuffix(file, chainsEnd); cut {
		name, _, _ := strings.Cut(chains, "@")
		return Owner{Name: name}, name != ""
	}
	if name, cut := cutEnding(file, tagEndings); cut {
		return ownerOfTag(name)
	}
	if name, cut := cutEnding(file, clientEndings); cut {
		return Owner{name, true}, true
	}
	if name, cut := cutEnding(file, jobEndings); cut {
		return Owner{Name: name}, true
	}
	return o, false
}

func cutEnding(file string, endings []string) (name string, cut bool) {
	at := slices.IndexFunc(endings, func(ending string) bool { return strings.HasSuffix(file, ending) && file != ending })
	if at < 0 {
		return file, false
	}
	return strings.TrimSuffix(file, endings[at]), true
}

// ownerOfTag tells whose a cursor's tag is.
func ownerOfTag(tag string) (o Owner, ok bool) {
	for _, role := range []string{"source", "push", "local"} {
		if name, cut := strings.CutPrefix(tag, cursor.Tag(role, "")); cut && name != "" {
			return Owner{name, role == "source"}, true
		}
	}
	return o, false
}
