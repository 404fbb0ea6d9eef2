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
		Datasets: []Copy{{Source: "a/x", Target: "b/x", Common: snap("s1", 10*time.Minute), Behind: new(0)}}}
}

// TestTableOfLies: for everything that can be wrong with a backup, seen from
// each end that can know, the state, the level and what is said.
func TestTableOfLies(t *testing.T) {
	source := func() Facts { // the same, seen from the end that is pulled from
		f := base()
		f.Type, f.Serves = "source", []string{"me"}
		f.Datasets = []Copy{{Client: "me", Source: "a/x", Common: snap("s1", 10*time.Minute), Newest: &Snapshot{Name: "s2", GUID: 8, Created: ago(5 * time.Minute)}}}
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
		{"a new dataset", source, func(f *Facts, _ *Daemon) {
			f.Datasets = append(f.Datasets, Copy{Client: "me", Source: "a/y", New: ago(hour), Behind: new(1)})
		}, OK, Good, ""},
		{"a new dataset without a snapshot", source, func(f *Facts, _ *Daemon) {
			f.Datasets = append(f.Datasets, Copy{Client: "me", Source: "a/y", New: now, Empty: true, Behind: new(0)})
		}, OK, Good, ""},
		{"a new dataset, not so new", source, func(f *Facts, _ *Daemon) {
			f.Datasets = append(f.Datasets, Copy{Client: "me", Source: "a/y", New: ago(3 * hour), Behind: new(1)})
		}, Never, Critical, "a/y for me: there is no copy of it"},
		{"a new dataset of a job that runs once a month", source, func(f *Facts, _ *Daemon) {
			f.Warn, f.Crit = 90*day, 365*day
			f.Datasets = append(f.Datasets, Copy{Client: "me", Source: "a/y", New: ago(2 * day), Behind: new(1)})
		}, OK, Good, ""},
		{"the same, after three days", source, func(f *Facts, _ *Daemon) {
			f.Warn, f.Crit = 90*day, 365*day
			f.Datasets = append(f.Datasets, Copy{Client: "me", Source: "a/y", New: ago(4 * day), Behind: new(1)})
		}, Never, Warning, "there is no copy of it yet: it is 4 days old"},
		{"a new dataset that waits for a chosen snapshot, once a month", source, func(f *Facts, _ *Daemon) {
			f.Warn, f.Crit = 90*day, 365*day
			f.Datasets = append(f.Datasets, Copy{Client: "me", Source: "a/y", New: ago(4 * day), Behind: new(0), Waits: true})
		}, OK, Good, ""},
		{"a dataset that waits for too long", source, func(f *Facts, _ *Daemon) {
			f.Datasets = append(f.Datasets, Copy{Client: "me", Source: "a/y", New: ago(4 * day), Behind: new(0), Waits: true})
		}, Never, Critical, "a/y for me: there is no copy of it, and the job's rules choose none of its snapshots"},
		{"nothing chosen on the source, and the copy is fresh", source, func(f *Facts, _ *Daemon) { f.Datasets[0].Waits, f.Datasets[0].Newest = true, nil }, OK, Good, ""},
		{"nothing chosen on the source, and the copy is old", source, func(f *Facts, _ *Daemon) {
			f.Datasets[0].Waits, f.Datasets[0].Newest, f.Datasets[0].Common = true, nil, snap("s1", 2*day)
		}, Late, Critical, "the copy is 2 days old, and the job's rules choose no snapshot of the source"},
		{"a job with a new name", base, func(f *Facts, _ *Daemon) {
			f.Former, f.Attempt, f.Success, f.Datasets = "old", time.Time{}, time.Time{}, nil
		}, Never, Critical, "zreplctl check says what to type"},
		{"a new dataset from the future", source, func(f *Facts, _ *Daemon) {
			f.Datasets = append(f.Datasets, Copy{Client: "me", Source: "a/y", New: ago(-hour), Behind: new(1)})
		}, Never, Critical, "a/y for me: there is no copy of it"},
		{"a new dataset, for another client that has nothing", source, func(f *Facts, _ *Daemon) {
			f.Datasets = append(f.Datasets, Copy{Client: "you", Source: "a/y", New: ago(hour), Behind: new(1)})
		}, Never, Critical, "a/y for you: there is no copy of it"},
		{"a new dataset that failed", base, func(f *Facts, _ *Daemon) {
			f.Datasets = append(f.Datasets, Copy{Source: "a/y", Target: "b/y", New: ago(hour), Failed: "unrelated"})
		}, Failed, Critical, "unrelated"},
		{"link down for five months", base, func(f *Facts, _ *Daemon) {
			f.OK, f.Error, f.Success, f.Datasets[0].Common = false, "connection refused", ago(months), snap("s1", months)
		}, Late, Critical, "5 months old"},
		{"link down for five months, at the source", source, func(f *Facts, _ *Daemon) {
			f.Datasets[0].Common, f.Datasets[0].Behind = snap("s1", months), new(999)
		}, Late, Critical, "a/x for me: the copy is 5 months old"},
		{"link down for a moment", base, func(f *Facts, _ *Daemon) { f.OK, f.Error = false, "connection refused" }, Failed, Warning, "connection refused"},
		{"reboot with the link down", base, func(f *Facts, d *Daemon) {
			d.Running, f.OK, f.Error, f.Datasets[0].Common = false, false, "no route", snap("s1", 3*day)
		}, Late, Critical, "3 days old"},
		{"source without new snapshots", base, func(f *Facts, _ *Daemon) { f.Datasets[0].Common = snap("s1", 2*day) }, Late, Critical, "2 days old"},
		{"source without new snapshots, at the source", source, func(f *Facts, _ *Daemon) {
			f.Datasets[0].Common, f.Datasets[0].Newest = snap("s1", 2*day), snap("s1", 2*day)
		}, Late, Critical, "the source has no newer snapshot"},
		{"verified", base, func(f *Facts, _ *Daemon) { f.Datasets[0].Verified = ago(12 * day) }, OK, Good, ""},
		{"found to differ", base, func(f *Facts, _ *Daemon) {
			f.Datasets[0].Verified, f.Datasets[0].Differs = ago(12*day), "12 days ago: @s1: objects differ: 7"
		}, Failed, Critical, "a/x: it differs from its source, by a comparison 12 days ago: @s1: objects differ: 7"},
		{"found to differ, and late", base, func(f *Facts, _ *Daemon) {
			f.Datasets[0].Verified, f.Datasets[0].Differs, f.Datasets[0].Common = ago(hour), "1 hour ago: @s1: objects differ: 7", snap("s1", 3*hour)
		}, Failed, Critical, "objects differ: 7; the copy is 3h old"},
		{"dataset excluded or destroyed on the source", base, func(f *Facts, _ *Daemon) {
			f.OK, f.Error, f.Datasets[0].Gone = false, "1 dataset failed", "not-offered"
		}, NotOffered, Warning, "a/x: not-offered"},
		{"copy that goes, and is old", base, func(f *Facts, _ *Daemon) {
			c := &f.Datasets[0]
			c.Common = snap("s1", 1000*hour)
			c.Goes, c.Gone = ago(-hour), GoesOn(ago(-hour))
		}, NotOffered, Warning, "its copy goes on "},
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
		{"hooks that a run left", base, func(f *Facts, _ *Daemon) { f.Owes = true }, Failed, Warning, "did not finish its after_snapshot"},
		{"hooks of a run that is on", base, func(f *Facts, _ *Daemon) { f.Owes, f.Running, f.Begun = true, true, ago(hour) }, Running, Good, ""},
		{"a run that failed, and its hooks", base, func(f *Facts, _ *Daemon) { f.Owes, f.OK, f.Error = true, false, "cannot thaw" }, Failed, Warning, "cannot thaw; after_snapshot or after hooks are still due"},
		{"a run that was killed, and its hooks", base, func(f *Facts, _ *Daemon) { f.Owes, f.Begun = true, ago(hour) }, Failed, Warning, "this host went down; after_snapshot or after hooks are still due"},
		{"no clients, and hooks", source, func(f *Facts, _ *Daemon) { f.Owes, f.Broken = true, "in use" }, Failed, Critical, "in use; after_snapshot or after hooks are still due"},
		{"a run that hangs for months", base, func(f *Facts, _ *Daemon) {
			f.Begun, f.Running, f.Datasets[0].Common = ago(months), true, snap("s1", months)
		}, Late, Critical, "5 months old"},
		{"a run that another host keeps going", base, func(f *Facts, _ *Daemon) { f.Begun, f.Running = ago(4*day), true }, Late, Warning, "began 4 days ago is still on"},
		{"a run that takes two days", base, func(f *Facts, _ *Daemon) { f.Begun, f.Running = ago(2*day), true }, Running, Good, ""},
		{"a run", base, func(f *Facts, _ *Daemon) { f.Begun, f.Running = ago(hour), true }, Running, Good, ""},
		{"the daemon dead", base, func(f *Facts, d *Daemon) { d.Running, f.Attempt, f.Success = false, ago(3*hour), ago(3*hour) }, Late, Warning, "no daemon runs"},
		{"the daemon killed a moment ago", base, func(_ *Facts, d *Daemon) { *d = Daemon{Died: true} }, Failed, Warning, "the daemon was killed"},
		{"an older configuration in the daemon", base, func(_ *Facts, d *Daemon) { d.Stale = true }, Late, Warning, "zreplctl reload"},
		{"clock a day behind", base, func(f *Facts, _ *Daemon) { f.Datasets[0].Common = snap("s1", -day) }, Late, Warning, "24h in the future"},
		{"a snapshot from after the year 9999", base, func(f *Facts, _ *Daemon) {
			f.Datasets[0].Common.Created = time.Unix(300_000_000_000, 0)
		}, Late, Warning, "292 years in the future"},
		{"a snapshot from the future that came a minute ago", base, func(f *Facts, _ *Daemon) {
			f.Datasets[0].Common = snap("s1", -day)
			f.Datasets[0].Common.Held = ago(time.Minute)
		}, Late, Warning, "24h in the future, and was here 1m ago"},
		{"a snapshot from the future that came months ago", base, func(f *Facts, _ *Daemon) {
			f.Datasets[0].Common = snap("s1", -day)
			f.Datasets[0].Common.Held = ago(months)
		}, Late, Critical, "and was here 5 months ago"},
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
		{"statedir lost, at the source", source, func(f *Facts, _ *Daemon) { f.Datasets[0].Unproved = true }, Late, Unknown, "the note of what arrived is lost"},
		{"statedir lost, at the source, and late", source, func(f *Facts, _ *Daemon) {
			f.Datasets[0].Common, f.Datasets[0].Unproved = snap("s1", 3*hour), true
		}, Late, Unknown, "3h old"},
		{"statedir lost, at the source, and broken for months", source, func(f *Facts, _ *Daemon) {
			f.Datasets[0].Common, f.Datasets[0].Unproved = snap("s1", months), true
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
	if r.Level != Warning || !strings.Contains(Plugin(r), "WARNING - the daemon runs an older configuration: run zreplctl reload; 1 job, 1 copy, the oldest 10m") {
		t.Errorf("%v, %s", r.Level, Plugin(r))
	}
	if r = Judge(Input{Now: now, Jobs: []Facts{base()}}); r.Level != Good || !strings.Contains(Plugin(r), "no daemon runs") {
		t.Errorf("without a daemon: %v, %s", r.Level, Plugin(r))
	}
}

// TestDaemonOnce: that the daemon was killed is said once, with how the copies
// are, and not in the place of what is wrong with them.
func TestDaemonOnce(t *testing.T) {
	well, bad := base(), base()
	bad.Name, bad.OK, bad.Error, bad.Datasets[0].Failed = "k", false, "1 dataset failed", "modified: written since"
	for what, c := range map[string]struct {
		jobs []Facts
		want string
	}{
		"well":     {[]Facts{well, well}, "ZREPLCTL WARNING - " + DeadDaemon + "; 2 jobs, 2 copies, the oldest 10m | "},
		"modified": {[]Facts{well, bad}, "ZREPLCTL WARNING - " + DeadDaemon + "; k failed: a/x: modified: written since | "},
	} {
		r := Judge(Input{Now: now, Daemon: Daemon{Died: true}, Jobs: c.jobs})
		if line := Plugin(r); !strings.HasPrefix(line, c.want) {
			t.Errorf("%s: %s\nwant %s", what, line, c.want)
		}
		if j := r.Jobs[1]; !strings.HasPrefix(j.Why, j.Daemon) || j.Daemon == "" || (what == "modified") != strings.HasSuffix(j.Why, "; a/x: modified: written since") {
			t.Errorf("%s: %q", what, j.Why)
		}
	}
}

// TestNewestFirst: that there is no connection now comes before what an earlier
// run saw of a dataset, which nobody has looked at since.
func TestNewestFirst(t *testing.T) {
	f := base()
	f.OK, f.Error = false, "cannot connect: no route to host"
	f.Datasets[0].Failed, f.Datasets[0].Earlier = "seen 2h ago, not since: modified", true
	j := Judge(Input{Now: now, Daemon: Daemon{Running: true}, Jobs: []Facts{f}}).Jobs[0]
	if j.State != Failed || j.Level != Warning || j.Trouble != f.Error || j.Why != "cannot connect: no route to host; a/x: seen 2h ago, not since: modified" {
		t.Errorf("%s, %v, %q", j.State, j.Level, j.Why)
	}
	f.Datasets[0].Earlier, f.NoLink = false, true // it was lost in the middle of the run that saw this
	if j = Judge(Input{Now: now, Daemon: Daemon{Running: true}, Jobs: []Facts{f}}).Jobs[0]; j.Trouble != f.Error {
		t.Errorf("%q", j.Why)
	}
	f.NoLink = false // this run saw it, and says the same in other words
	if j = Judge(Input{Now: now, Daemon: Daemon{Running: true}, Jobs: []Facts{f}}).Jobs[0]; j.Trouble != "" || !strings.HasPrefix(j.Why, "a/x: ") {
		t.Errorf("%q", j.Why)
	}
}

// TestOrphans: hooks that a job left which is gone are a warning.
func TestOrphans(t *testing.T) {
	r := Judge(Input{Now: now, Daemon: Daemon{Running: true}, Jobs: []Facts{base()}, Orphans: []string{"old"}})
	if r.Level != Warning || !strings.Contains(Plugin(r), `job "old" is not in the configuration any more and left hooks to run`) {
		t.Errorf("%v, %s", r.Level, Plugin(r))
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
