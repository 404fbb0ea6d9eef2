package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/control"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/health"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/live"
)

// maxTold is how many bad datasets of a job a screen shows.
const maxTold = 5

// draw draws status on a terminal, in place, in no more lines than it has.
func (p *statusPrinter) draw(ctx context.Context, s control.Status) error {
	p.look(ctx, &s)
	if p.screen == nil {
		p.screen, p.views = p.out.NewScreen(), map[string]*live.View{}
	}
	columns, lines := p.screen.Size()
	return p.screen.Draw(styled(p.frame(s, time.Now(), columns, lines-1)))
}

// frame is the screen: the jobs, problems first, each with what is wrong and
// what is under way. Runs share what room the jobs leave.
func (p *statusPrinter) frame(s control.Status, now time.Time, columns, height int) []live.Line {
	jobs := problemsFirst(p.report.Jobs)
	bad, running := 0, 0
	for _, j := range jobs {
		if j.Level > health.Good {
			bad++
		}
		if p.running(s, j.Name) != nil {
			running++
		}
	}
	head := fmt.Sprintf("zreplctl  %s  %d of %d jobs well", now.Format("15:04:05"), len(jobs)-bad, len(jobs))
	lines := []live.Line{{Text: head, Style: live.Strong}}
	for _, note := range p.report.Notes {
		lines = append(lines, live.Line{Text: "note: " + note, Style: live.Bad})
	}
	each := height
	if running > 0 {
		each = max(3, (height-len(lines)-len(jobs)-min(bad*2, height/3))/running)
	}
	for _, j := range jobs {
		lines = append(lines, p.frameJob(s, j, now, columns, each)...)
	}
	if len(lines) > height && height > 1 {
		rest := len(lines) - height + 1
		lines = append(lines[:height-1], live.Line{Text: fmt.Sprintf("… and %d lines more", rest)})
	}
	for i := range lines {
		lines[i] = lines[i].Fit(columns)
	}
	return lines[:min(len(lines), max(height, 0))]
}

// running is the job's run that is under way, as the daemon sees it.
func (p *statusPrinter) running(s control.Status, name string) *control.Job {
	at := slices.IndexFunc(s.Jobs, func(one control.Job) bool { return one.Name == name })
	if at < 0 || s.Jobs[at].State != control.Running || s.Jobs[at].Progress == nil {
		return nil
	}
	return &s.Jobs[at]
}

func (p *statusPrinter) frameJob(s control.Status, j health.Job, now time.Time, columns, each int) []live.Line {
	made := p.report.Made.Time
	state, style := j.State, live.Plain
	if j.Level > health.Good {
		style = live.Bad
	}
	run := p.running(s, j.Name)
	if run != nil && state == health.OK {
		state = health.Running
	}
	line := fmt.Sprintf("%s  %s  %s  %s, %s", j.Name, j.Type, state, aged(j.Age), behind(j.Behind, j.BehindBytes))
	if run == nil {
		line += ", last " + lastRun(j, made) + ", " + p.nextRun(j, s.PID != 0, made)
	}
	lines := []live.Line{{Text: line, Style: style}}
	if j.Level > health.Good {
		told := 0
		if j.Trouble != "" {
			lines = append(lines, live.Line{Text: "  " + j.Trouble, Style: live.Bad})
		}
		for _, d := range j.Datasets {
			if d.Level > health.Good && told < maxTold {
				told++
				lines = append(lines, live.Line{Text: "  " + pair(d) + ": " + cmp.Or(d.Why, string(d.State)), Style: live.Bad})
			}
		}
		switch more := health.Bad(j) - told; {
		case told == 0 && j.Trouble == "":
			lines = append(lines, live.Line{Text: "  " + j.Why, Style: live.Bad})
		case more > 0:
			lines = append(lines, live.Line{Text: fmt.Sprintf("  … and %d more", more), Style: live.Bad})
		}
	}
	if run == nil {
		delete(p.views, j.Name)
		return lines
	}
	v := p.views[j.Name]
	if v == nil {
		v = &live.View{}
		p.views[j.Name] = v
	}
	v.Add(now, *run.Progress)
	for _, l := range v.Lines(columns-2, each, true) {
		lines = append(lines, live.Line{Text: "  " + l.Text, Style: l.Style})
	}
	return lines
}
