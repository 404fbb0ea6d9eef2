package convert

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
)

// sanoidPrefix is what all of sanoid's snapshots begin with, so that those that
// are there already count in the grid.
const sanoidPrefix = "autosnap_"

// job makes one of a section.
func (s *sanoid) job(p *part) {
	name := p.dataset()
	kind := "autosnap"
	snaps, prunes := isYes(p.value("autosnap")), isYes(p.value("autoprune"))
	if !snaps {
		kind = "prune"
	}
	if dataset.CheckName(name) != nil {
		s.doc.add(p.line, "", "").note(p.line, "section %q is not the name of a dataset: left out", name)
		return
	}
	j := s.doc.add(p.line, strings.ReplaceAll(name, "/", "_"), kind)
	keep, when := p.keep(j)
	if !snaps && !prunes || len(keep) == 0 {
		j.kind = ""
		j.note(p.line, "section %s: neither takes nor prunes snapshots: no job", p.name)
		if len(keep) == 0 && prunes {
			j.note(p.line, "section %s: sanoid destroys all of its snapshots there: zreplctl does not", p.name)
		}
		s.rest(j, p)
		return
	}
	j.rules("datasets", s.rules(j, p))
	j.put("snapshot_prefix: %s", sanoidPrefix)
	if !snaps {
		when = "interval: 1h"
	}
	j.put("%s", when)
	if prunes {
		j.remark("Snapshots count by their time, whatever their names end in: sanoid's, too.")
		j.put("keep:")
		for _, rule := range keep {
			j.put("- %s", rule)
		}
	}
	s.rest(j, p)
}

// rules are the section's dataset, what is below it if it is recursive, and
// without what other sections are about.
func (s *sanoid) rules(j *job, p *part) (all []rule) {
	name := p.dataset()
	if p.recursive() == "" {
		return []rule{{name, "ok"}}
	}
	all = append(all, rule{name + "<", "ok"})
	if isYes(p.own("process_children_only")) {
		all = append(all, rule{name, "!"})
	}
	for _, other := range s.parts {
		below := other.dataset()
		if below == name || !dataset.Within(below, name) || dataset.CheckName(below) != nil {
			continue
		}
		if other.recursive() != "" {
			below += "<"
			if isYes(other.own("process_children_only")) {
				j.note(other.line, "section %s: the dataset itself belongs to no job", other.name)
			}
		}
		if !slices.Contains(all, rule{below, "!"}) {
			all = append(all, rule{below, "!"})
		}
	}
	return all
}

// keep makes rules of the counts of the kinds of snapshots, and says when the
// most frequent kind is taken.
func (p *part) keep(j *job) (rules []string, when string) {
	const most = 100_000
	minutes := p.number(j, "frequent_period", 1, 60)
	hour, minute := func(key string) int { return p.number(j, key, 0, 23) }, func(key string) int { return p.number(j, key, 0, 59) }
	var periods []string
	for _, kind := range []struct {
		key  string
		when func() string
	}{
		{"frequently", func() string { return fmt.Sprintf("interval: %dm", minutes) }},
		{"hourly", func() string {
			if m := minute("hourly_min"); m != 0 {
				return fmt.Sprintf("cron: \"%d * * * *\"", m)
			}
			return "interval: 1h"
		}},
		{"daily", func() string {
			return fmt.Sprintf("cron: \"%d %d * * *\"", minute("daily_min"), hour("daily_hour"))
		}},
		{"weekly", func() string {
			return fmt.Sprintf("cron: \"%d %d * * %d\"", minute("weekly_min"), hour("weekly_hour"), p.number(j, "weekly_wday", 0, 7))
		}},
		{"monthly", func() string {
			return fmt.Sprintf("cron: \"%d %d %d * *\"", minute("monthly_min"), hour("monthly_hour"), p.number(j, "monthly_mday", 1, 28))
		}},
		{"yearly", func() string {
			return fmt.Sprintf("cron: \"%d %d %d %d *\"", minute("yearly_min"), hour("yearly_hour"), p.number(j, "yearly_mday", 1, 28), p.number(j, "yearly_mon", 1, 12))
		}},
	} {
		n := p.number(j, kind.key, 0, most)
		if n == 0 {
			continue
		}
		if when == "" {
			when = kind.when()
		}
		if kind.key == "frequently" { // a calendar has nothing shorter than an hour
			rules = append(rules, fmt.Sprintf("{type: grid, grid: %dx%dm}", n, minutes))
		} else {
			periods = append(periods, fmt.Sprintf("%s: %d", kind.key, n))
		}
	}
	if len(periods) > 0 {
		rules = append(rules, "{type: calendar, "+strings.Join(periods, ", ")+"}")
	}
	return rules, when
}

// read are the settings that a job has used.
var read = map[string]bool{
	"use_template": true, "path": true, "recursive": true, "process_children_only": true, "autosnap": true, "autoprune": true,
	"frequently": true, "frequent_period": true, "hourly": true, "daily": true, "weekly": true, "monthly": true, "yearly": true,
}

// known are the settings of sanoid that have no equal, and what does it here.
var known = map[string]string{
	"monitor": "zreplctl monitor watches every job", "monitor_dont_warn": "", "monitor_dont_crit": "", "min_percent_free": "",
	"pre_snapshot_script": "hooks: {before_snapshot: …} of the job runs a command, with other variables", "post_snapshot_script": "hooks: {after_snapshot: …} of the job runs a command, with other variables", "pruning_script": "", "pre_pruning_script": "",
	"no_inconsistent_snapshot": "on_failure of a hook", "force_post_snapshot_script": "", "script_timeout": "timeout of a hook", "prune_defer": "", "skip_children": "",
}

// unused notes templates that no section uses.
func (s *sanoid) unused() {
	for _, name := range slices.Sorted(maps.Keys(s.templates)) {
		if t := s.templates[name]; !t.used {
			s.doc.head.note(t.line, "template_%s: no section uses it: left out", name)
		}
	}
}

// rest notes what has no equal.
func (s *sanoid) rest(j *job, p *part) {
	if p.recursive() == "zfs" {
		j.remark("recursive = zfs: all datasets of a job in one pool get their snapshots in one transaction.")
	}
	for _, key := range slices.Sorted(maps.Keys(p.resolved)) {
		o := p.resolved[key]
		instead, isKnown := known[key]
		kind, what, _ := strings.Cut(key, "_")
		switch {
		case read[key]:
		case isKnown && instead != "":
			j.note(o.line, "section %s: %s = %s is left out: %s", p.name, key, o.value, instead)
		case isKnown:
			j.note(o.line, "section %s: %s = %s has no equal", p.name, key, o.value)
		case what == "warn" || what == "crit":
			j.note(o.line, "section %s: %s = %s has no equal: monitor: {warn: AGE, crit: AGE} is for the newest snapshot, whatever its kind", p.name, key, o.value)
		case defaults[key] != "" && (j.kind != "autosnap" || !p.first(kind)):
			j.note(o.line, "section %s: %s = %s has no equal: the calendar keeps the first snapshot of each period", p.name, key, o.value)
		case defaults[key] != "":
		default:
			j.note(o.line, "section %s: unknown setting %s = %s: left out", p.name, key, o.value)
		}
	}
}

// first reports whether a kind of snapshots is the most frequent.
func (p *part) first(kind string) bool {
	for _, k := range []string{"frequently", "hourly", "daily", "weekly", "monthly", "yearly"} {
		if n, err := strconv.Atoi(p.value(k)); err == nil && n > 0 {
			return k == kind
		}
	}
	return false
}
