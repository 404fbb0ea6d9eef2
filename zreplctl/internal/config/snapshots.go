package config

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/plan"
	"github.com/zrepl-tools/zrepl-tools/lib/snap"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/schedule"
)

// The limits of what each name is held against.
const (
	maxExclude      = 100
	maxPatternsSize = 1000 // of all patterns of a job, as plan.ParsePattern counts
)

// snapshots reads {regex: …, exclude: …, newest_only: …}. The second may be a
// list.
func (d *decoder) snapshots(n *yaml.Node, what string) *plan.Rules {
	r, size, count := &plan.Rules{}, 0, 0
	ok := d.dict(n, what, []string{"regex", "exclude", "newest_only"}, func(key string, _, v *yaml.Node) {
		count++
		part := what + ": " + key
		switch key {
		case "regex":
			r.Regex = d.pattern(v, part, &size)
			return
		case "newest_only":
			r.Newest = d.boolean(v, part)
			return
		}
		for _, v := range d.oneOrMore(v, part, maxExclude) {
			if re := d.pattern(v, part, &size); re != nil && matchesAll(re, "") {
				d.wrong(v, "%s: %q matches every name: it is no glob", part, re)
			} else if re != nil {
				r.Exclude = append(r.Exclude, re)
			}
		}
	})
	switch {
	case ok && count == 0:
		d.wrong(n, "%s: neither regex, exclude nor newest_only: leave the key out", what)
	case size > maxPatternsSize:
		d.wrong(n, "%s: too large: with their repetitions written out the patterns have more than %d characters and operators", what, maxPatternsSize)
	}
	if r.Regex == nil && len(r.Exclude) == 0 && !r.Newest {
		return nil
	}
	return r
}

// oneOrMore are the values of a list, or one value that is not one.
func (d *decoder) oneOrMore(n *yaml.Node, what string, most int) (all []*yaml.Node) {
	at := n
	if at.Kind == yaml.AliasNode {
		at = at.Alias
	}
	if at.Kind != yaml.SequenceNode {
		return []*yaml.Node{n}
	}
	d.list(n, what, func(v *yaml.Node) { all = append(all, v) })
	switch {
	case len(all) == 0:
		d.wrong(n, "%s: the list is empty", what)
	case len(all) > most:
		d.wrong(all[most], "%s: more than %d", what, most)
		all = all[:most]
	}
	return all
}

// pattern reads a regular expression, and adds its size.
func (d *decoder) pattern(n *yaml.Node, what string, size *int) *regexp.Regexp {
	text, ok := d.str(n, what)
	if !ok || *size > maxPatternsSize { // which is told
		return nil
	}
	if text == "" {
		d.wrong(n, "%s: empty: it would match every name", what)
		return nil
	}
	re, costs, err := plan.ParsePattern(text)
	if err != nil {
		d.wrong(n, "%s: %v", what, err)
	}
	if *size += costs; !d.spend(n, 2*costs) { // aliases may stand for many large ones
		return nil
	}
	if dataset.MatchesNone(text) {
		d.wrong(n, matchesNone, what, text)
		return nil
	}
	return re
}

// CheckPattern says why snapshots: cannot have a pattern, as its regex or in
// exclude. Of the size, all patterns of a job together have at most 1,000.
func CheckPattern(text string, exclude bool) (size int, err error) {
	re, size, err := plan.ParsePattern(text)
	switch {
	case err != nil:
		return size, err
	case text == "" || exclude && matchesAll(re, ""):
		return size, errors.New("it matches every name")
	case dataset.MatchesNone(text):
		return size, errors.New("it matches no name")
	case size > maxPatternsSize:
		return size, errors.New("it is too large")
	}
	return size, nil
}

// encodeSnapshots writes what snapshots reads.
func encodeSnapshots(r *plan.Rules) *dict {
	m := dictionary()
	if r.Regex != nil {
		m.put("regex", text(r.Regex.String()))
	}
	switch len(r.Exclude) {
	case 0:
	case 1:
		m.put("exclude", text(r.Exclude[0].String()))
	default:
		var texts []string
		for _, re := range r.Exclude {
			texts = append(texts, re.String())
		}
		m.put("exclude", list(texts))
	}
	if r.Newest {
		m.put("newest_only", true)
	}
	return m
}

// Choice is which snapshots the job replicates.
func (j *Job) Choice() plan.Choice {
	return plan.Choice{Prefix: j.SnapshotPrefix, Rules: j.SnapshotRules}
}

// choosesAs reports whether two jobs choose by the same prefix and patterns.
func (j *Job) choosesAs(other *Job) bool {
	written := func(j *Job) string {
		if j.SnapshotRules == nil {
			return fmt.Sprintf("%q", j.SnapshotPrefix)
		}
		out := []string{j.SnapshotPrefix, ""}
		if re := j.SnapshotRules.Regex; re != nil {
			out = []string{"", re.String()} // the prefix does not count
		}
		if j.SnapshotRules.Newest {
			out = append(out, "", "newest") // no pattern is empty
		}
		var not []string
		for _, re := range j.SnapshotRules.Exclude {
			not = append(not, re.String())
		}
		slices.Sort(not)
		return fmt.Sprintf("%q", append(out, slices.Compact(not)...))
	}
	return written(j) == written(other)
}

// checkSnapshots finds jobs that send nothing, or none of the snapshots that they
// take.
func (d *decoder) checkSnapshots(j *Job, what string) {
	r := j.SnapshotRules
	if r == nil {
		return
	}
	if r.Newest && j.InitialReplPolicy == "all" {
		d.wrongAt(j.firstKey("initial_repl_policy", "snapshots"), "%s: initial_repl_policy: all snapshots would be sent, and snapshots: newest_only sends one: leave one of them out", what)
	}
	if all := func(re *regexp.Regexp) bool { return matchesAll(re, j.SnapshotPrefix) }; r.Regex == nil && slices.ContainsFunc(r.Exclude, all) {
		d.warnAt(j.key("snapshots"), "%s: snapshots: exclude matches every name that begins with %q: the job sends nothing", what, j.SnapshotPrefix)
		return
	}
	if !j.Snapshots() {
		return
	}
	if names := j.takenNames(); !slices.ContainsFunc(names, j.Choice().Has) {
		d.warnAt(j.key("snapshots"), "%s: snapshots: the job takes snapshots such as %q and sends none of these: names must %s", what, names[0], j.Choice())
	}
}

// takenNames are names of snapshots that the job takes: of one year each day, at
// the times that it has, and of one day each minute.
func (j *Job) takenNames() (names []string) {
	begin := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	add := func(at time.Time) { names = append(names, snap.Name(j.SnapshotPrefix, snap.DefaultFormat, at)) }
	for day := range 365 {
		add(begin.AddDate(0, 0, day))
	}
	if j.Cron != nil {
		times, at := schedule.Times{Cron: j.Cron}, begin
		for range 366 {
			if at = times.Next(at); at.IsZero() {
				break
			}
			add(at)
		}
	}
	for minute := range 24 * 60 {
		add(begin.Add(time.Duration(minute) * time.Minute))
	}
	return names
}
