package health

import (
	"strings"
	"testing"
	"time"
)

var now = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

const (
	hour   = time.Hour
	day    = 24 * hour
	months = 150 * day
)

func ago(d time.Duration) time.Time { return now.Add(-d) }

func snap(name string, age time.Duration) *Snapshot {
	return &Snapshot{Name: name, GUID: 7, Created: ago(age)}
}

// base is a job that is well, seen from the end that receives.
func base() Facts {
	return Facts{Name: "j", Type: "pull", Interval: 10 * time.Minute, Warn: 2 * hour, Crit: day, Copies: true,
		Attempt: ago(5 * time.Minute), Success: ago(5 * time.Minute), OK: true,
		Datasets: []Copy{{Source: "a/x", Target: "b/x", Common: snap("s1", 10*time.Minute)}}}
}

// TestTableOfLies: for everything that can be wrong with a backup, seen from
// each end that can know, the state, the level and what is said.
func TestTableOfLies(t *testing.T) {
	source := func() Facts { // the same, seen from the end that is pulled from
		f := base()
		f.Type, f.Serves = "source", []string{"me"}
		f.Datasets = []Copy{{Client: "me", Source: "a/x", Common: snap("s1", 10*time.Minute), Newest: &Snapshot{"s2", 8, ago(5 * time.Minute)}}}
		f.Sessions = []Session{{Client: "me", Ended: ago(5 * time.Minute), Streams: 1}}
		return f
	}
	pruner := func() Facts { // a job without copies that cron runs every day
		return Facts{Name: "j", Type: "prune", Warn: 26 * hour, Crit: 3 * day, Attempt: ago(hour), Success: ago(hour), OK: true}
	}
	for _, c := range []struct {
		what   string
		make   func() Facts
		change func(*Facts, *Daemon)
		state  State
		level  Level
		why    string
	}{
		{"well", base, nil, OK, Good, ""},
		{"well, at the source", source, nil, OK, Good, ""},
		{"link down for five months", base, func(f *Facts, _ *Daemon) {
			f.OK, f.Error, f.Success, f.Datasets[0].Common = false, "connection refused", ago(months), snap("s1", months)
		}, Late, Critical, "5 months old"},
		{"link down for five months, at the source", source, func(f *Facts, _ *Daemon) {
			f.Datasets[0].Common, f.Datasets[0].Behind = snap("s1", months), 999
		}, Late, Critical, "a/x for me: the copy is 5 months old"},
		{"link down for a moment", base, func(f *Facts, _ *Daemon) { f.OK, f.Error = false, "connection refused" }, Failed, Warning, "connection refused"},
		{"reboot with the link down", base, func(f *Facts, d *Daemon) {
			d.Running, f.OK, f.Error, f.Datasets[0].Common = false, false, "no route", snap("s1", 3*day)
		}, Late, Critical, "3 days old"},
		{"source without new snapshots", base, func(f *Facts, _ *Daemon) { f.Datasets[0].Common = snap("s1", 2*day) }, Late, Critical, "2 days old"},
		{"source without new snapshots, at the source", source, func(f *Facts, _ *Daemon) {
			f.Datasets[0].Common, f.Datasets[0].Newest = snap("s1", 2*day), snap("s1", 2*day)
		}, Late, Critical, "the source has no newer snapshot"},
		{"dataset excluded or destroyed on the source", base, func(f *Facts, _ *Daemon) {
			f.OK, f.Error, f.Datasets[0].Gone = false, "1 dataset failed", "not-offered"
		}, NotOffered, Warning, "a/x: not-offered"},
		{"dataset excluded, at the source", source, func(f *Facts, _ *Daemon) { f.Datasets[0].Gone = "the rules leave it out" }, NotOffered, Warning, "the rules leave it out"},
		{"dataset destroyed, at the source", source, func(f *Facts, _ *Daemon) {
			f.Datasets[0] = Copy{Client: "me", Source: "a/x", Gone: "it does not exist now"}
		}, NotOffered, Critical, "does not exist"},
		{"source pool not imported, at the source", source, func(f *Facts, _ *Daemon) {
			f.Datasets = []Copy{{Source: "a/x", Missing: "its pool is not imported"}}
		}, Failed, Critical, "not imported"},
		{"prefixes that differ", base, func(f *Facts, _ *Daemon) {
			f.OK, f.Error, f.Datasets[0].Common, f.Datasets[0].Failed = false, "1 dataset failed", nil, "none-wanted"
		}, Failed, Critical, "none-wanted"},
		{"prefixes that differ, at the source", source, func(f *Facts, _ *Daemon) { f.Datasets[0].Common = nil }, Never, Critical, "no copy"},
		{"target modified", base, func(f *Facts, _ *Daemon) {
			f.OK, f.Error, f.Datasets[0].Failed = false, "1 dataset failed", "modified: written since"
		}, Failed, Warning, "modified"},
		{"a run killed", base, func(f *Facts, _ *Daemon) { f.Begun = ago(hour) }, Failed, Warning, "was killed"},
		{"a run that hangs for months", base, func(f *Facts, _ *Daemon) {
			f.Begun, f.Running, f.Datasets[0].Common = ago(months), true, snap("s1", months)
		}, Late, Critical, "5 months old"},
		{"a run", base, func(f *Facts, _ *Daemon) { f.Begun, f.Running = ago(hour), true }, Running, Good, ""},
		{"the daemon dead", base, func(f *Facts, d *Daemon) { d.Running, f.Attempt, f.Success = false, ago(3*hour), ago(3*hour) }, Late, Warning, "no daemon runs"},
		{"clock a day behind", base, func(f *Facts, _ *Daemon) { f.Datasets[0].Common = snap("s1", -day) }, Late, Warning, "24h in the future"},
		{"clock a day behind, by the runs", base, func(f *Facts, _ *Daemon) { f.Attempt, f.Success = ago(-day), ago(-day) }, Late, Warning, "clock is wrong"},
		{"clock a day ahead", base, func(f *Facts, _ *Daemon) { f.Datasets[0].Common = snap("s1", day+hour) }, Late, Critical, "25h old"},
		{"a source that nobody pulls", source, func(f *Facts, _ *Daemon) { f.Datasets[0].Common, f.Sessions = nil, nil }, Never, Critical, "there is no copy"},
		{"a client whose key was removed", source, func(f *Facts, _ *Daemon) {
			f.Datasets[0].Common, f.Sessions[0].Ended = snap("s1", 3*hour), ago(3*hour)
		}, Late, Warning, "3h old"},
		{"statedir lost", base, func(f *Facts, _ *Daemon) { f.Attempt, f.Success, f.OK = time.Time{}, time.Time{}, false }, OK, Good, ""},
		{"statedir lost, and broken for months", base, func(f *Facts, _ *Daemon) {
			f.Attempt, f.Success, f.OK, f.Datasets[0].Common = time.Time{}, time.Time{}, false, snap("s1", months)
		}, Late, Critical, "5 months old"},
		{"statedir and target lost", base, func(f *Facts, _ *Daemon) {
			f.Attempt, f.Success, f.OK, f.Datasets = time.Time{}, time.Time{}, false, nil
		}, Never, Critical, "there is no copy of anything"},
		{"ZFS does not answer", base, func(f *Facts, _ *Daemon) { f.Problem, f.Datasets = "cannot ask ZFS", nil }, Failed, Unknown, "cannot ask ZFS"},
		{"a socket that clients cannot reach", source, func(f *Facts, _ *Daemon) { f.Broken = "in use" }, Failed, Critical, "in use"},
		{"well, without copies", pruner, nil, OK, Good, ""},
		{"without copies, not run by hand yet", pruner, func(f *Facts, _ *Daemon) { *f = Facts{Name: "j", Type: "prune", Warn: hour, Crit: day} }, OK, Good, ""},
		{"without copies, with limits, never run", pruner, func(f *Facts, _ *Daemon) {
			f.Attempt, f.Success, f.OK, f.Limited = time.Time{}, time.Time{}, false, true
		}, Never, Warning, "it never ran"},
		{"cron runs it no longer, for two days", pruner, func(f *Facts, _ *Daemon) { f.Attempt, f.Success = ago(2*day), ago(2*day) }, Late, Warning, "2 days ago"},
		{"cron runs it no longer, for months", pruner, func(f *Facts, _ *Daemon) { f.Attempt, f.Success = ago(months), ago(months) }, Late, Critical, "5 months ago"},
		{"without copies, stopped each time for months", pruner, func(f *Facts, _ *Daemon) {
			f.OK, f.Stopped, f.Success = false, true, ago(months)
		}, Late, Critical, "5 months ago"},
		{"without copies, stopped each time", pruner, func(f *Facts, _ *Daemon) {
			f.OK, f.Stopped, f.Success = false, true, time.Time{}
		}, Never, Warning, "no run came to its end"},
		{"an age that is not known", base, func(f *Facts, _ *Daemon) { f.Datasets[0].Common.Created = time.Time{} }, Late, Warning, "not known"},
	} {
		f, d := c.make(), Daemon{Running: true}
		if c.change != nil {
			c.change(&f, &d)
		}
		r := Judge(Input{Now: now, Daemon: d, Jobs: []Facts{f}})
		j := r.Jobs[0]
		if j.State != c.state || j.Level != c.level || r.Level != c.level || !strings.Contains(j.Why, c.why) || (j.Level != Good) != (j.Why != "") {
			t.Errorf("%s: %s, %v, %q; want %s, %v, %q", c.what, j.State, j.Level, j.Why, c.state, c.level, c.why)
		}
		if line := Plugin(r); !strings.HasPrefix(line, "ZREPLCTL "+c.level.String()+" - ") || strings.Count(line, "|") != 1 || strings.Contains(line, "\n") {
			t.Errorf("%s: %s", c.what, line)
		}
		for _, ds := range j.Datasets {
			if ds.Age != nil && *ds.Age < 0 {
				t.Errorf("%s: an age of %d", c.what, *ds.Age)
			}
		}
	}
}

// TestStaleDaemon: an old configuration in the daemon is a warning.
func TestStaleDaemon(t *testing.T) {
	r := Judge(Input{Now: now, Daemon: Daemon{Running: true, Stale: true}, Jobs: []Facts{base()}})
	if r.Level != Warning || !strings.Contains(Plugin(r), "configuration was changed") {
		t.Errorf("%v, %s", r.Level, Plugin(r))
	}
	if r = Judge(Input{Now: now, Jobs: []Facts{base()}}); r.Level != Good || !strings.Contains(Plugin(r), "no daemon runs") {
		t.Errorf("without a daemon: %v, %s", r.Level, Plugin(r))
	}
}

// TestWorstFirst: the worst dataset decides, and stands first.
func TestWorstFirst(t *testing.T) {
	f := base()
	f.Datasets = append(f.Datasets, Copy{Source: "a/y", Common: snap("s", 3*hour)}, Copy{Source: "a/z"}, Copy{Source: "a/zz", Common: snap("s", 2*day)})
	j := Judge(Input{Now: now, Daemon: Daemon{Running: true}, Jobs: []Facts{f}}).Jobs[0]
	if j.State != Never || j.Level != Critical || j.Why != "a/z: there is no copy of it (and 2 more)" || j.Datasets[0].Source != "a/z" || *j.Age != 2*86400 || Bad(j) != 3 {
		t.Errorf("%+v", j)
	}
}

func TestWords(t *testing.T) {
	for d, want := range map[time.Duration]string{-day: "0s", 59 * time.Second: "59s", 61 * time.Second: "1m", 3 * hour: "3h", 47 * hour: "47h",
		day * 2: "2 days", 59 * day: "59 days", months: "5 months", 365 * day: "12 months", 3 * 365 * day: "3 years"} {
		if got := Words(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}
