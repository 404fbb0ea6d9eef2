package webpage

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/plural"
	"github.com/zrepl-tools/zrepl-tools/lib/progress"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/health"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/job"
)

// shown is the page in words and places.
type shown struct {
	Host, Made, Level string
	Grade             health.Level
	Notes             []string
	Jobs              []shownJob
}

type shownJob struct {
	health.Job
	Last, Success string
	Limits        string
	Lacks         string // how many snapshots the copies lack, and how much is in them
	Copies        []shownCopy
	More          int
	Clients       []shownClient
	Pictures      []shownPicture
	Strip         []mark // the runs of the last days
	Runs          []shownRun
}

type shownCopy struct {
	health.Dataset
	Name, AgeText       string
	Compared            string  // when it was verified; empty: never
	SentAnew            string  // when and why it was; empty: never
	Bar, WarnAt, CritAt float64 // in the width of the picture
	HasAge              bool
}

type shownClient struct {
	health.Client
	Came, AgeText string
}

type shownPicture struct {
	Title string
	Dots  []mark
	Ticks []tick
}

type shownRun struct {
	When, Took, Result, Moved, Error, Client string
}

// mark is a place in a picture, and how it looks.
type mark struct {
	X     float64
	Class string
	Title string
}

type tick struct {
	X    float64
	Text string
}

const (
	width    = 600 // of a picture, in its own units
	stripBar = 4   // of a run in the strip of runs
	maxWell  = 10  // copies of a job that are shown though they are well
)

func view(p Page) shown {
	now := p.Report.Made.Time
	s := shown{Host: p.Host, Made: now.UTC().Format(time.RFC3339), Level: p.Report.Level.String(), Grade: p.Report.Level, Notes: p.Report.Notes}
	jobs := slices.Clone(p.Report.Jobs)
	slices.SortStableFunc(jobs, func(a, b health.Job) int { return b.Level.Rank() - a.Level.Rank() })
	for _, j := range jobs {
		s.Jobs = append(s.Jobs, viewJob(p, j, now))
	}
	return s
}

func viewJob(p Page, j health.Job, now time.Time) shownJob {
	s := shownJob{Job: j, Last: when(j.Attempt, now), Success: when(j.Success, now),
		Limits: health.Words(seconds(j.Warn)) + " and " + health.Words(seconds(j.Crit))}
	s.Lacks = lacks(j)
	for i, d := range j.Datasets {
		if i == maxDatasets || i >= maxWell && d.Level == health.Good { // those come last
			s.More = len(j.Datasets) - i
			break
		}
		s.Copies = append(s.Copies, viewCopy(j, d, now))
	}
	for _, c := range j.Clients {
		s.Clients = append(s.Clients, shownClient{c, when(c.Last, now), aged(c.Age)})
	}
	for _, one := range p.Pictures {
		if one.Job == j.Name {
			s.Pictures = append(s.Pictures, viewPicture(one))
		}
	}
	s.viewRuns(p.Past, now)
	return s
}

// lacks says how many snapshots the copies of a job lack, and how much is in
// them, as far as that is known.
func lacks(j health.Job) string {
	switch {
	case j.Behind == nil:
		return "not known how far behind"
	case *j.Behind > 0 && j.BehindBytes != nil:
		return fmt.Sprintf("%s behind (%s)", plural.Of(*j.Behind, "snapshot"), bytes(*j.BehindBytes))
	}
	return plural.Of(*j.Behind, "snapshot") + " behind"
}

// viewCopy draws an age against its limits: the critical one is at two thirds.
func viewCopy(j health.Job, d health.Dataset, now time.Time) shownCopy {
	c := shownCopy{Dataset: d, AgeText: aged(d.Age), HasAge: d.Age != nil, CritAt: width * 2 / 3}
	c.Name = strings.TrimSuffix(strings.TrimPrefix(d.Source+" > "+d.Target, " > "), " > ")
	if d.Client != "" {
		c.Name = d.Source + " for " + d.Client
	}
	if d.Verified != nil {
		c.Compared = health.Since(d.Verified.Time, now)
	}
	c.SentAnew = d.SentAnew(now)
	scale := func(n int64) float64 { return float64(n) / float64(max(j.Crit, 1)) * width * 2 / 3 }
	c.WarnAt = scale(j.Warn)
	if d.Age != nil {
		c.Bar = max(2, min(width, scale(*d.Age)))
	}
	return c
}

// viewPicture draws snapshots by their age, on a scale that has room for the
// last hour as for the last years.
func viewPicture(p Picture) shownPicture {
	s := shownPicture{Title: p.Side + " " + p.Dataset}
	const least, most = time.Minute, 10 * 365 * 24 * time.Hour
	at := func(age time.Duration) float64 {
		age = min(max(age, least), most)
		return width - 10 - (width-20)*math.Log(float64(age)/float64(least))/math.Log(float64(most)/float64(least))
	}
	kept := 0
	for _, d := range p.Dots {
		m := mark{X: at(d.Age), Class: "keep", Title: health.Words(d.Age) + " old"}
		if d.Destroy {
			m.Class, m.Title = "destroy", m.Title+", to be destroyed"
		} else {
			kept++
		}
		s.Dots = append(s.Dots, m)
	}
	s.Title += fmt.Sprintf(": %s, %d kept", plural.Of(len(p.Dots), "snapshot"), kept)
	for _, t := range []struct {
		age  time.Duration
		text string
	}{{time.Hour, "hour"}, {24 * time.Hour, "day"}, {7 * 24 * time.Hour, "week"}, {30 * 24 * time.Hour, "month"}, {365 * 24 * time.Hour, "year"}} {
		s.Ticks = append(s.Ticks, tick{at(t.age), t.text})
	}
	return s
}

// viewRuns takes the job's runs of the last days, the newest first. In the
// strip, what went well is drawn first, so that it hides no failure.
func (s *shownJob) viewRuns(past []job.Past, now time.Time) {
	for _, p := range slices.Backward(past) {
		age := now.Sub(p.Started.Time)
		if p.Job != s.Name || age > days*24*time.Hour {
			continue
		}
		r := viewRun(p, now)
		s.Strip = append(s.Strip, mark{X: min(width-stripBar, width*(1-max(0, float64(age))/(days*24*float64(time.Hour)))), Class: r.Result, Title: r.When + ", " + r.Result})
		if len(s.Runs) < maxRuns {
			s.Runs = append(s.Runs, r)
		}
	}
	slices.SortStableFunc(s.Strip, func(a, b mark) int { return well(b) - well(a) })
}

func well(m mark) int {
	if m.Class == "ok" {
		return 1
	}
	return 0
}

func viewRun(p job.Past, now time.Time) shownRun {
	r := shownRun{When: health.Since(p.Started.Time, now), Took: "no end", Result: "ok", Error: p.Text(), Client: p.Client,
		Moved: fmt.Sprintf("datasets: %d, %s", p.Moved, bytes(p.Bytes))}
	if !p.Ended.IsZero() {
		r.Took = health.Words(p.Ended.Sub(p.Started.Time))
	}
	if p.Client != "" {
		r.Moved = fmt.Sprintf("streams: %d, %s", p.Moved, bytes(p.Bytes))
	}
	switch {
	case p.Killed:
		r.Result = "killed"
	case p.Stopped:
		r.Result = "stopped"
	case !p.OK:
		r.Result = "failed"
	}
	return r
}

func when(t *progress.Time, now time.Time) string {
	if t == nil {
		return "never"
	}
	return health.Since(t.Time, now)
}

func aged(age *int64) string {
	if age == nil {
		return "no age"
	}
	return health.Words(seconds(*age))
}

func seconds(n int64) time.Duration { return time.Duration(n) * time.Second }

// bytes is a number of bytes for a person.
func bytes(n uint64) string {
	f := float64(n)
	for _, unit := range []string{"B", "KiB", "MiB", "GiB"} {
		if f < 1024 {
			return fmt.Sprintf("%.4g %s", f, unit)
		}
		f /= 1024
	}
	return fmt.Sprintf("%.4g TiB", f)
}
