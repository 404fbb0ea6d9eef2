package config

import (
	"slices"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/schedule"
)

// What happens to a run when its window ends.
const (
	Stop   = "stop"
	Finish = "finish"
)

// Timed reports whether the daemon runs the job by itself.
func (j *Job) Timed() bool { return j.Interval > 0 || j.Cron != nil }

// Times are when the daemon runs the job, by the clocks of a zone.
func (j *Job) Times(zone *time.Location) schedule.Times {
	return schedule.Times{Interval: j.Interval, Cron: j.Cron, Window: j.Window, Zone: zone, Offset: schedule.Spread(j.Name, j.Jitter)}
}

// Every is how long there is between two runs at most; 0: the daemon does not
// run it.
func (j *Job) Every() time.Duration {
	if j.Cron == nil && j.Window == nil {
		return j.Interval
	}
	return j.Times(time.UTC).Longest(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
}

// InWords says when the job runs.
func (j *Job) InWords() string {
	words := "every " + FormatDuration(j.Interval)
	if j.Cron != nil {
		words = "at " + j.Cron.String()
	}
	if j.Window != nil {
		words += ", between " + j.Window.String()
	}
	return words
}

// times reads one of the keys that say when a job runs.
func (d *decoder) times(j *Job, key, what string, v *yaml.Node) {
	var err error
	switch key {
	case "jitter":
		j.Jitter = d.jitter(v, what)
		return
	case "at_end":
		j.AtEnd = d.word(v, what, Stop, Finish)
		return
	}
	s, ok := d.str(v, what)
	if !ok {
		return
	}
	switch key {
	case "cron":
		j.Cron, err = schedule.ParseCron(s)
	case "window":
		j.Window, err = schedule.ParseWindow(s)
	case "after":
		j.After = s
	}
	if err != nil {
		d.wrong(v, "%s: %v", what, err)
	}
}

// jitter reads a duration that may be 0.
func (d *decoder) jitter(v *yaml.Node, what string) time.Duration {
	if n, ok := d.resolve(v); ok && n.Kind == yaml.ScalarNode && (n.Value == "0" || n.Value == "0s") {
		return 0
	}
	return d.duration(v, what, ", or 0s")
}

func (d *decoder) fillTimes(j *Job) {
	if _, said := j.at["jitter"]; !said && j.Cron == nil {
		j.Jitter = (j.Interval / jitterPart).Truncate(time.Second)
	}
	if j.AtEnd == "" && j.Window != nil {
		j.AtEnd = defaultAtEnd
	}
}

// checkTimes finds keys that exclude or need each other.
func (d *decoder) checkTimes(j *Job, what string) {
	timed := j.says("interval") || j.says("cron")
	if j.says("interval") && j.says("cron") {
		d.wrongAt(j.at["cron"], "%s: interval and cron both say when the job runs: write one of them", what)
	}
	for _, key := range []string{"jitter", "window"} {
		if at, said := j.at[key]; said && !timed {
			d.wrongAt(at, "%s: %s: the daemon does not run a job that has neither interval nor cron", what, key)
		}
	}
	if at, said := j.at["at_end"]; said && !j.says("window") {
		d.wrongAt(at, "%s: at_end: the job has no window", what)
	}
	if j.Interval > 0 && j.Jitter > j.Interval {
		d.wrongAt(j.at["jitter"], "%s: jitter (%s) is longer than interval (%s)", what, FormatDuration(j.Jitter), FormatDuration(j.Interval))
	}
}

// checkAfter finds jobs that wait for nothing, or for each other.
func (d *decoder) checkAfter(c *Config) {
	named := map[string]*Job{}
	var names []string
	for _, j := range c.Jobs {
		named[j.Name], names = j, append(names, j.Name)
	}
	for _, j := range c.Jobs {
		if j.After == "" {
			continue
		}
		at := j.at["after"]
		switch other := named[j.After]; {
		case other == nil:
			hint := ""
			others := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return name == j.Name })
			if close := Nearest(j.After, others); close != "" {
				hint = ": did you mean \"" + close + "\"?"
			}
			d.wrongAt(at, "job %q: after: there is no job %q%s", j.Name, j.After, hint)
		case other == j:
			d.wrongAt(at, "job %q: after: it names itself", j.Name)
		case inCircle(j, named):
			d.wrongAt(at, "job %q: after: jobs wait for each other in a circle", j.Name)
		}
	}
}

func inCircle(j *Job, named map[string]*Job) bool {
	seen := []*Job{}
	for at := named[j.After]; at != nil && !slices.Contains(seen, at); at = named[at.After] {
		if at == j {
			return true
		}
		seen = append(seen, at)
	}
	return false
}

// timesValue is what the job has under a key about its times.
func (j *Job) timesValue(key string) (any, bool) {
	switch key {
	case "cron":
		if j.Cron != nil {
			return text(j.Cron.String()), true
		}
	case "jitter":
		return text(FormatDuration(j.Jitter)), j.Timed()
	case "window":
		if j.Window != nil {
			return text(j.Window.String()), true
		}
	case "at_end":
		return text(j.AtEnd), j.Window != nil
	case "after":
		return text(j.After), j.After != ""
	}
	return nil, false
}
