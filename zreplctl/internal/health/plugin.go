package health

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/clean"
	"github.com/zrepl-tools/zrepl-tools/lib/plural"
)

// Rank orders levels by how urgent they are.
func (l Level) Rank() int { return rank(l) }

// String is the level as the rules for monitoring plugins write it.
func (l Level) String() string {
	return [...]string{Good: "OK", Warning: "WARNING", Critical: "CRITICAL", Unknown: "UNKNOWN"}[l]
}

const (
	maxTold  = 5   // jobs that the line tells of
	maxLine  = 300 // bytes of the reason of each
	perfJobs = 100 // jobs with performance data
)

// Plugin is the report as one line of a Nagios plugin: a text and, behind a
// bar, performance data.
func Plugin(r Report) string {
	line := "ZREPLCTL " + r.Level.String() + " - " + summary(r)
	var perf []string
	for i, j := range r.Jobs {
		if i == perfJobs {
			break
		}
		if j.Age != nil {
			perf = append(perf, fmt.Sprintf("'%s_age'=%ds;%d;%d;0", j.Name, *j.Age, j.Warn, j.Crit))
		}
		if j.Behind != nil {
			perf = append(perf, fmt.Sprintf("'%s_behind'=%d;;;0", j.Name, *j.Behind))
		}
		if j.BehindBytes != nil {
			perf = append(perf, fmt.Sprintf("'%s_behind_bytes'=%dB;;;0", j.Name, *j.BehindBytes))
		}
		perf = append(perf, fmt.Sprintf("'%s_bad'=%d;;;0", j.Name, Bad(j)))
	}
	if len(perf) > 0 {
		line += " | " + strings.Join(perf, " ")
	}
	return line
}

// Bad counts the datasets of a job that are not well.
func Bad(j Job) (n int) {
	for _, d := range j.Datasets {
		if d.Level > Good {
			n++
		}
	}
	return n
}

// summary is the text of the line: what is wrong with the daemon, and the worst
// jobs, or that all copies are well.
func summary(r Report) string {
	var told, first, last []string
	for _, note := range r.Notes {
		if note == DeadDaemon || note == StaleDaemon {
			first = append(first, note)
		} else {
			last = append(last, note)
		}
	}
	more, datasets := 0, 0
	var oldest *int64
	for level := Critical; ; { // the most urgent first
		for _, j := range r.Jobs {
			if j.own.level != level {
				continue
			}
			if len(told) == maxTold {
				more++
				continue
			}
			told = append(told, strings.ReplaceAll(clean.Line(fmt.Sprintf("%s %s: %s", j.Name, j.own.state, j.own.why), maxLine), "|", "/"))
		}
		switch level {
		case Critical:
			level = Unknown
			continue
		case Unknown:
			level = Warning
			continue
		}
		break
	}
	if more > 0 {
		told = append(told, strconv.Itoa(more)+" jobs more")
	}
	for _, j := range r.Jobs {
		datasets += len(j.Datasets)
		if j.Age != nil && (oldest == nil || *j.Age > *oldest) {
			oldest = j.Age
		}
	}
	if len(told) == 0 {
		text := fmt.Sprintf("%s, %s", plural.Of(len(r.Jobs), "job"), plural.Of(datasets, "copy"))
		if oldest != nil {
			text += ", the oldest " + Words(time.Duration(*oldest)*time.Second)
		}
		told = append(told, text)
	}
	return strings.Join(slices.Concat(first, told, last), "; ")
}
