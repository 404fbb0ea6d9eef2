package health

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/progress"
)

// Tolerance is how far in the future a snapshot may be dated: clocks differ.
const Tolerance = 5 * time.Minute

// longRun is how long a run may take at least before it is late: until it ends,
// it has no record, and prunes nothing.
const longRun = 3 * 24 * time.Hour

// DeadDaemon and StaleDaemon say what is wrong with the daemon, in the same words
// everywhere.
const (
	DeadDaemon  = "the daemon was killed or this host went down, and none runs since: start it"
	StaleDaemon = "the daemon runs an older configuration: run zreplctl reload"
)

// Judge makes the report.
func Judge(in Input) Report {
	r := Report{Made: progress.At(in.Now), Config: in.Config, Jobs: []Job{}}
	intervals := false
	for _, f := range in.Jobs {
		intervals = intervals || f.Interval > 0
		j := judgeJob(f, in.Now, in.Daemon)
		r.Jobs = append(r.Jobs, j)
		if worse(j.Level, r.Level) {
			r.Level = j.Level
		}
	}
	switch {
	case intervals && in.Daemon.Died:
		r.Notes = append(r.Notes, DeadDaemon)
	case intervals && !in.Daemon.Running:
		r.Notes = append(r.Notes, "no daemon runs, though jobs have an interval")
	case in.Daemon.Running && in.Daemon.Stale:
		r.Notes = append(r.Notes, StaleDaemon)
		if worse(Warning, r.Level) {
			r.Level = Warning
		}
	}
	for _, name := range in.Orphans {
		r.Notes = append(r.Notes, fmt.Sprintf("job %q is not in the configuration any more and left hooks to run: zreplctl check says which", name))
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

// worst is the one of two that is worse, the first if neither is.
func worst(a, b verdict) verdict {
	if worse(b.level, a.level) || b.level == a.level && urgency(b.state) > urgency(a.state) {
		return b
	}
	return a
}

// with is the worse of two, with the reasons of both, the more general first.
func (general verdict) with(v verdict) verdict {
	both := worst(general, v)
	switch {
	case general.why == "":
		both.why = v.why
	case v.why != "":
		both.why = general.why + "; " + v.why
	default:
		both.why = general.why
	}
	return both
}

func judgeJob(f Facts, now time.Time, daemon Daemon) Job {
	j := Job{Name: f.Name, Type: f.Type, Warn: seconds(f.Warn), Crit: seconds(f.Crit), Error: f.Error, Broken: f.Broken,
		Attempt: moment(f.Attempt), Success: moment(f.Success), Next: moment(f.Next), Datasets: []Dataset{}}
	trouble, copies := verdict{state: OK}, verdict{state: OK}
	bad, behind, bytes, told := 0, sum{}, sum{}, false
	for _, c := range f.Datasets {
		d := judgeCopy(c, f, now)
		j.Datasets = append(j.Datasets, d)
		behind.add(snapshots(d.Behind))
		bytes.add(d.BehindBytes)
		told = told || (d.State == Failed && (d.Differs == "" && d.Unread == "" || d.Error != "") || d.State == NotOffered) && !c.Earlier && (c.Missing == "" || c.Failed != "")
		if d.Age != nil && (j.Age == nil || *d.Age > *j.Age) {
			j.Age = d.Age
		}
		if d.Level > Good {
			bad++
			copies = worst(copies, verdict{d.State, d.Level, name(d) + ": " + d.Why})
		}
	}
	j.BehindBytes = bytes.total()
	if n := behind.total(); n != nil {
		j.Behind = new(int(*n))
	}
	if bad > 1 {
		copies.why += fmt.Sprintf(" (and %d more)", bad-1)
	}
	slices.SortStableFunc(j.Datasets, func(a, b Dataset) int {
		return cmp.Or(rank(b.Level)-rank(a.Level), cmp.Compare(a.Source, b.Source), cmp.Compare(a.Target, b.Target), cmp.Compare(a.Client, b.Client))
	})
	for _, v := range ofRuns(f, now, daemon, told && !f.NoLink) {
		trouble = worst(trouble, v)
	}
	if f.Former != "" {
		why := fmt.Sprintf("job %q, which is not in the configuration, had these datasets: zreplctl check says what to type if it was renamed", f.Former)
		trouble = verdict{Never, Warning, why}.with(trouble)
	}
	trouble = trouble.with(j.asides(f.Asides))
	if f.Owes && !f.Running {
		trouble = trouble.with(hooksDue(trouble.why == ""))
	}
	if j.own = trouble.with(copies); f.Running && j.own.level == Good {
		j.own = verdict{state: Running}
	}
	if f.Paused {
		j.own = paused(j.own, f, now)
	}
	outside := ofDaemon(f, daemon)
	all := outside.with(j.own)
	j.Daemon, j.Trouble = outside.why, trouble.why
	j.Clients = clients(f, j.Datasets)
	j.State, j.Level, j.Why = all.state, all.level, all.why
	return j
}

// snapshots is a number of them as what a sum adds up.
func snapshots(n *int) *uint64 {
	if n == nil || *n < 0 {
		return nil
	}
	return new(uint64(*n))
}

// ofDaemon judges the daemon that should run a job, or serve it.
func ofDaemon(f Facts, daemon Daemon) verdict {
	switch {
	case daemon.Running && daemon.Stale && (f.Interval > 0 || len(f.Serves) > 0):
		return verdict{Late, Warning, StaleDaemon}
	case f.Interval > 0 && daemon.Died && !daemon.Running:
		return verdict{Failed, Warning, DeadDaemon}
	}
	return verdict{state: OK}
}

// sum adds up numbers, each of which may be unknown: then so is the sum.
type sum struct {
	of      int
	n       uint64
	unknown bool
}

func (s *sum) add(n *uint64) {
	if s.of++; n == nil || *n > math.MaxUint64-s.n {
		s.unknown = true
		return
	}
	s.n += *n
}

// total is nil if it is unknown, or of nothing.
func (s *sum) total() *uint64 {
	if s.unknown || s.of == 0 {
		return nil
	}
	return &s.n
}

// paused adds to a verdict that a person has paused the job. What is wrong stays
// so: nobody else would remember.
func paused(worst verdict, f Facts, now time.Time) verdict {
	why := "a person paused it"
	if !f.Until.IsZero() {
		why += " for " + Words(f.Until.Sub(now)) + " more"
	}
	switch {
	case worst.level > Good:
		worst.why += "; " + why
	case worst.state != Running:
		worst = verdict{state: Paused, why: why}
	}
	return worst
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
// Told says that the datasets tell why the last run failed. What an earlier run
// saw of them tells nothing of it: the last one may not have had a connection.
func ofRuns(f Facts, now time.Time, daemon Daemon, told bool) (all []verdict) {
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
	case f.Running && !f.Begun.IsZero() && now.Sub(f.Begun) > max(f.Crit, longRun):
		add(Late, Warning, "the run that began %s is still on", Since(f.Begun, now))
	case !f.Attempt.IsZero() && !f.OK && f.Error != "" && !told:
		add(Failed, Warning, "%s", f.Error)
	}
	if v, ok := seeding(f, now); ok {
		all = append(all, v)
	}
	if !f.Copies {
		all = append(all, runsLate(f, now)...)
	}
	if last := latest(f.Attempt, f.Begun); f.Interval > 0 && !daemon.Running && !daemon.Died && !last.IsZero() && now.Sub(last) > f.Warn {
		add(Late, Warning, "no daemon runs, and the last run was %s", Since(last, now))
	}
	if last := latest(f.Attempt, f.Success); last.Sub(now) > Tolerance {
		add(Late, Warning, "the last run is dated %s in the future: a clock is wrong", Words(last.Sub(now)))
	}
	return all
}

// seeding says that an import of a file did not bring all, until a run has: what
// came says nothing of what did not.
func seeding(f Facts, now time.Time) (verdict, bool) {
	last := f.Success
	for _, s := range f.Sessions {
		if s.Error == "" {
			last = latest(last, s.Ended)
		}
	}
	why := "the import that began " + Since(f.Seeding, now) + " has not brought all of its file, and no run has succeeded since"
	switch {
	case f.Seeding.IsZero() || last.After(f.Seeding):
		return verdict{}, false
	case last.IsZero():
		return verdict{Never, Critical, why}, true
	}
	return verdict{Failed, Warning, why}, true
}

// hooksDue says that a run left hooks. Another trouble of the job must not hide
// it, and neither may it hide that one: the two are said together, this one
// briefly.
func hooksDue(alone bool) verdict {
	if alone {
		return verdict{Failed, Warning, "an earlier run did not finish its after_snapshot or after hooks: what they start again may be stopped"}
	}
	return verdict{Failed, Warning, "after_snapshot or after hooks are still due"}
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
