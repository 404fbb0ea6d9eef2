package main

import (
	"fmt"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/cli"
	"github.com/zrepl-tools/zrepl-tools/lib/progress"
)

// watch writes what a run has done so far once a second, for a program as
// lines of JSON, for a person as one line that is written over, until the
// function it returns is called.
func watch(t *progress.Tracker, program, person *cli.Out) (stop func()) {
	if program == nil && person == nil {
		return func() {}
	}
	quit, over := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(over)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		var before progress.Snapshot
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
			if person != nil {
				showProgress(person, s, s.Bytes-before.Bytes, last)
			}
			before = s
		}
	}()
	return func() { close(quit); <-over }
}

// told writes what somebody else's run says of its progress in the same ways.
func told(program, person *cli.Out) (told func(progress.Snapshot), done func()) {
	var before progress.Snapshot
	var at time.Time
	told = func(s progress.Snapshot) {
		if program != nil {
			program.JSON(s)
		}
		if person != nil {
			rate := uint64(0)
			if d := time.Since(at); !at.IsZero() && d > 0 && s.Bytes > before.Bytes {
				rate = uint64(float64(s.Bytes-before.Bytes) / d.Seconds())
			}
			showProgress(person, s, rate, false)
		}
		before, at = s, time.Now()
	}
	done = func() {
		if person != nil && !at.IsZero() {
			showProgress(person, before, 0, true)
		}
	}
	return told, done
}

func showProgress(w *cli.Out, s progress.Snapshot, rate uint64, last bool) {
	done := 0
	sending := ""
	for _, d := range s.Datasets {
		switch d.State {
		case progress.Done, progress.UpToDate, progress.Failed:
			done++
		case progress.Sending:
			sending = d.Source
		}
	}
	if last {
		w.Over(fmt.Sprintf("%d of %d datasets, %s", done, len(s.Datasets), size(s.Bytes)), true)
		return
	}
	w.Over(fmt.Sprintf("%d of %d datasets, %s, %s/s  %.60s", done, len(s.Datasets), size(s.Bytes), size(rate), sending), false)
}

// size writes a number of bytes for a person.
func size(n uint64) string {
	f, unit := float64(n), "B"
	for _, u := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if f < 1024 {
			break
		}
		f, unit = f/1024, u
	}
	if unit == "B" {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", f, unit)
}
