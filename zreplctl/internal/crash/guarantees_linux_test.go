package crash

import (
	"slices"
	"strings"
	"testing"
)

// versions are what one dataset has, by guid.
type versions map[string]struct {
	snapshot string // full name, or ""
	bookmark bool   // one of ours
}

func (w *world) versions(t *testing.T, ds string) versions {
	out := versions{}
	if !w.exists(ds) {
		return out
	}
	for _, l := range w.lines(t, "zfs", "list", "-H", "-d", "1", "-t", "snapshot,bookmark", "-o", "name,guid", ds) {
		name, guid, _ := strings.Cut(l, "\t")
		v := out[guid]
		if strings.Contains(name, "@") {
			v.snapshot = name
		} else if strings.Contains(name, "#zreplctl_") {
			v.bookmark = true
		}
		out[guid] = v
	}
	return out
}

func (w *world) exists(ds string) bool {
	_, err := w.sim("zfs", "list", "-H", ds)
	return err == nil
}

// holds are the tags on a snapshot.
func (w *world) holds(t *testing.T, snapshot string) (tags []string) {
	for _, l := range w.lines(t, "zfs", "holds", "-H", snapshot) {
		tags = append(tags, strings.Split(l, "\t")[1])
	}
	return tags
}

// common are the sources that have something in common with their targets.
func (w *world) common(t *testing.T) map[string]bool {
	out := map[string]bool{}
	for _, ds := range datasets {
		there := w.versions(t, target(ds))
		for guid := range w.versions(t, ds) {
			if there[guid].snapshot != "" {
				out[ds] = true
			}
		}
	}
	return out
}

// guarantees looks for what must not be, whenever a run ends. before are the
// datasets that had something in common when it began.
func (w *world) guarantees(t *testing.T, before map[string]bool) (problems []string) {
	received := map[string]bool{}
	for _, ds := range datasets {
		here, there := w.versions(t, ds), w.versions(t, target(ds))
		arrived, safe, half := false, false, false
		for guid, v := range there {
			if v.snapshot == "" {
				continue
			}
			arrived, received[target(ds)] = true, true
			mine := here[guid]
			kept := mine.bookmark || mine.snapshot != "" && slices.ContainsFunc(w.holds(t, mine.snapshot), func(tag string) bool {
				return strings.HasPrefix(tag, "zreplctl_")
			})
			half = half || kept
			safe = safe || kept && slices.Contains(w.holds(t, v.snapshot), w.scenario.last)
		}
		switch {
		case before[ds] && !safe:
			problems = append(problems, ds+": no common version is protected on both sides")
		case arrived && !half:
			problems = append(problems, ds+": what has arrived is not protected on the sender")
		}
	}
	if got := strings.Join(w.lines(t, "zfs", "list", "-H", "-r", "-t", "all", "-o", "name", "dst/own"), " "); got != "dst/own dst/own@s0" {
		problems = append(problems, "the receiver's own things are now "+got)
	}
	for _, l := range w.lines(t, "zfs", "get", "-H", "-r", "-t", "filesystem", "-o", "name,property,value", "mounted,readonly", "dst/back") {
		f := strings.Split(l, "\t")
		if received[f[0]] && (f[1] == "mounted" && f[2] == "yes" || f[1] == "readonly" && f[2] == "off") {
			problems = append(problems, strings.Join(f, " "))
		}
	}
	return problems
}

// state is all that a run must bring about, in lines.
func (w *world) state(t *testing.T) []string {
	var out []string
	for _, root := range []string{"src/data", "dst/back"} {
		snaps := w.lines(t, "zfs", "list", "-H", "-r", "-t", "snapshot,bookmark", "-o", "name,guid", root)
		out = append(out, snaps...)
		out = append(out, w.lines(t, "zfs", "get", "-H", "-r", "-t", "filesystem", "-o", "name,property,value",
			"readonly,mounted,receive_resume_token,zreplctl:placeholder,zreplctl:send", root)...)
		holds := []string{"zfs", "holds", "-H"}
		for _, l := range snaps {
			if name, _, _ := strings.Cut(l, "\t"); strings.Contains(name, "@") {
				holds = append(holds, name)
			}
		}
		if len(holds) == 3 {
			continue
		}
		for _, l := range w.lines(t, holds...) {
			f := strings.Split(l, "\t")
			out = append(out, "hold "+f[1]+" on "+f[0])
		}
	}
	return out
}
