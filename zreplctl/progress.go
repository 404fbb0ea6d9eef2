package main

import (
	"os"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/cli"
	"github.com/zrepl-tools/zrepl-tools/lib/progress"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/live"
)

const (
	drawEvery  = time.Second
	plainEvery = 10 * time.Second // where there is no terminal
	liveLines  = 12               // of a run, besides what it prints
)

// watch writes what a run has done so far once a second, for a program as
// lines of JSON, for a person as a view that is drawn in place, until the
// function it returns is called. Others print to the same terminal.
func watch(t *progress.Tracker, program *cli.Out, person *viewer) (stop func()) {
	if program == nil && person == nil {
		return func() {}
	}
	quit, over := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(over)
		tick := time.NewTicker(drawEvery)
		defer tick.Stop()
		for last := false; !last; {
			select {
			case <-tick.C:
			case <-quit:
				last = true
			}
			s := t.Snapshot()
			if last {
				s.Datasets = progress.Ended(s.Datasets)
			}
			if program != nil {
				program.JSON(s)
			}
			if !last {
				person.show(s)
			} else {
				person.end(s)
			}
		}
	}()
	return func() { close(quit); <-over }
}

// told writes what somebody else's run says of its progress in the same ways.
func told(program *cli.Out, person *viewer) (told func(progress.Snapshot), done func()) {
	var last progress.Snapshot
	came := false
	told = func(s progress.Snapshot) {
		if program != nil {
			program.JSON(s)
		}
		person.show(s)
		last, came = s, true
	}
	return told, func() {
		if came {
			last.Datasets = progress.Ended(last.Datasets)
			person.end(last)
		}
	}
}

// viewer shows a run to a person: in place on a terminal, or else as a line now
// and then. Nil shows nothing.
type viewer struct {
	out     *cli.Out
	screen  *cli.Screen // nil: no terminal
	view    live.View
	begun   time.Time
	printed time.Time
	restore func()
}

// newViewer is a view on out; others print to the same terminal.
func newViewer(out *cli.Out, others ...*cli.Out) *viewer {
	v := &viewer{out: out, begun: time.Now(), restore: func() {}}
	v.printed = v.begun
	if out.Terminal() && os.Getenv("TERM") != "dumb" {
		v.screen = out.NewScreen()
		v.restore = v.screen.Beside(others...)
	}
	return v
}

func (v *viewer) show(s progress.Snapshot) {
	if v == nil || len(s.Datasets) == 0 {
		return
	}
	now := time.Now()
	v.view.Add(now, s)
	switch {
	case v.screen != nil:
		columns, lines := v.screen.Size()
		v.screen.Draw(styled(v.view.Lines(columns, min(liveLines, lines-1), false)))
	case now.Sub(v.printed) >= plainEvery:
		v.printed = now
		v.out.Say("zreplctl", v.view.Lines(200, 1, false)[0].Text)
	}
}

// end says in one line what was moved.
func (v *viewer) end(s progress.Snapshot) {
	if v == nil {
		return
	}
	v.restore()
	if len(s.Datasets) == 0 {
		return
	}
	text := live.Summary(s, time.Since(v.begun))
	if v.screen != nil {
		v.screen.Print("zreplctl: " + text)
		return
	}
	v.out.Say("zreplctl", text)
}

// styled gives lines their colours.
func styled(lines []live.Line) (out []cli.ScreenLine) {
	for _, l := range lines {
		out = append(out, cli.ScreenLine{Text: l.Text, SGR: map[live.Style]string{live.Bad: "31", live.Strong: "1"}[l.Style]})
	}
	return out
}

// size writes a number of bytes for a person.
func size(n uint64) string { return live.Bytes(n) }
