package health

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/progress"
)

// tolerance is how far in the future a snapshot may be dated: clocks differ.
const tolerance = 5 * time.Minute

// Judge makes the report.
func Judge(in Input) Report {
	r := Report{Made: progress.At(in.Now), Config: in.Config, Jobs: []Job{}}
	intervals := false
	for _, f := range in.Jobs {
		intervals = intervals || f.Interval > 0
		j := judgeJob(f, in.Now, in.Daemon.Running)
		r.Jobs = append(r.Jobs, j)
		if worse(j.Level, r.Level) {
			r.Level = j.Level
		}
	}
	if intervals && !in.Daemon.Running {
		r.Notes = append(r.Notes, "no daemon runs, though jobs have an interval")
	}
	if in.Daemon.Running && in.Daemon.Stale {
		r.Notes = append(r.Notes, "the configuration was changed since the daemon started: restart it")
		if worse(Warning, r.Level) {
			r.Level = Warning
		}
	}
	return r
}

// verdict is a state with its level and reason.
type verdict struct {
	state State
	level Level
	why   string
}

func judgeJob(f Facts, now time.Time, daemon bool) Job {
	j := Job{Name: f.Name, Type: f.Type, Warn: seconds(f.Warn), Crit: seconds(f.Crit), Error: f.Error,
		Attempt: moment(f.Attempt), Success: moment(f.Success), Next: moment(f.Next), Datasets: []Dataset{}}
	worst := verdict{state: OK}
	take := func(v verdict) {
		if worse(v.level, worst.level) || v.level == worst.level && urgency(v.state) > urgency(worst.state) {
			worst = v
		}
	}
	bad := 0
	for _, c := range f.Datasets {
		d := judgeCopy(c, f, now)
		j.Datasets = append(j.Datasets, d)
		j.Behind += d.Behind
		if d.Age != nil && (j.Age == nil || *d.Age > *j.Age) {
			j.Age = d.Age
		}
		if d.Level > Good {
			bad++
			take(verdict{d.State, d.Level, name(d) + ": " + d.Why})
		}
	}
	if bad > 1 {
		worst.why += fmt.Sprintf(" (and %d more)", bad-1)
	}
	slices.SortStableFunc(j.Datasets, func(a, b Dataset) int {
		return cmp.Or(rank(b.Level)-rank(a.Level), cmp.Compare(a.Source, b.Source), cmp.Compare(a.Target, b.Target), cmp.Compare(a.Client, b.Client))
	})
	told := slices.ContainsFunc(j.Datasets, func(d Dataset) bool { return d.State == Failed || d.State == NotOffered })
	for _, v := range ofRuns(f, now, daemon, told) {
		take(v)
	}
	if f.Running && worst.level == Good {
		worst = verdict{state: Running}
	}
	j.Clients = clients(f, j.Datasets)
	j.State, j.Level, j.Why = worst.state, worst.level, worst.why
	return j
}

// urgency orders states of one level.
func urgency(s State) int {
	return slices.Index([]State{OK, Running, Paused, Late, NotOffered, Never, Failed}, s)
}

func name(d Dataset) string {
	n := cmp.Or(d.Source, d.Target)
	if d.Client != "" {
		n += " for " + d.Client
	}
	return n
}

// ofRuns judges what is known of the job besides its copies.
// Told says that the datasets tell why the last run failed.
func ofRuns(f Facts, now time.Time, daemon, told bool) (all []verdict) {
	add := func(s State, l Level, format string, args ...any) {
		all = append(all, verdict{s, l, fmt.Sprintf(format, args...)})
	}
	// A run that failed a moment ago, of a job whose copies are fresh, is a
	// warning; the copies' age makes it more.
	if f.Problem != "" {
		add(Failed, Unknown, "%s", f.Problem)
	}
	if f.Broken != "" {
		add(Failed, Critical, "clients cannot reach it: %s", f.Broken)
	}
	if f.Copies && len(f.Datasets) == 0 && f.Problem == "" {
		add(Never, Critical, "there is no copy of anything")
	}
	switch {
	case !f.Begun.IsZero() && !f.Running:
		add(Failed, Warning, "the run that began %s was killed, could not write its record, or this host went down", Since(f.Begun, now))
	case !f.Attempt.IsZero() && !f.OK && f.Error != "" && !told:
		add(Failed, Warning, "%s", f.Error)
	}
	if !f.Copies {
		all = append(all, runsLate(f, now)...)
	}
	if last := latest(f.Attempt, f.Begun); f.Interval > 0 && !daemon && !last.IsZero() && now.Sub(last) > f.Warn {
		add(Late, Warning, "no daemon runs, and the last run was %s", Since(last, now))
	}
	if last := latest(f.Attempt, f.Success); last.Sub(now) > tolerance {
		add(Late, Warning, "the last run is dated %s in the future: a clock is wrong", Words(last.Sub(now)))
	}
	return all
}

// runsLate judges a job by its runs alone.
func runsLate(f Facts, now time.Time) []verdict {
	if f.Interval == 0 && !f.Limited && f.Attempt.IsZero() {
		return nil // it runs when told, and nobody has said when that should be
	}
	switch age := now.Sub(f.Success); {
	case f.Success.IsZero() && f.Attempt.IsZero():
		return []verdict{{Never, Warning, "it never ran"}}
	case f.Success.IsZero() && f.Error == "":
		return []verdict{{Never, Warning, "no run came to its end"}}
	case f.Success.IsZero():
		return nil // its error is told
	case age > f.Crit:
		return []verdict{{Late, Critical, "the last success was " + Since(f.Success, now)}}
	case age > f.Warn:
		return []verdict{{Late, Warning, "the last success was " + Since(f.Success, now)}}
	}
	return nil
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func seconds(d time.Duration) int64 { return int64(d / time.Second) }

func moment(t time.Time) *progress.Time {
	if t.IsZero() {
		return nil
	}
	at := progress.At(t)
	return &at
}
