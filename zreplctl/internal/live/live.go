// Package live draws how a run goes, for a person: a bar, a rate and the time
// left of each stream and of the whole, in as many lines as fit the screen.
//
// It is pure: snapshots of progress and the time go in, lines come out. What is
// not known is left out, and no line is wider than the screen.
package live

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/zrepl-tools/zrepl-tools/lib/progress"
)

// Style is how a line stands out.
type Style int

// The styles.
const (
	Plain Style = iota
	Bad
	Strong
)

// Line is one line of the screen.
type Line struct {
	Text  string
	Style Style
}

// Fit is the line cut to a width.
func (l Line) Fit(width int) Line { return Line{fit(l.Text, width), l.Style} }

// View draws one run. It is told of it again and again, to know the rates.
type View struct {
	Started time.Time
	whole   rate
	streams map[string]*rate
	now     progress.Snapshot
	at      time.Time
}

// Add takes how the run is now.
func (v *View) Add(now time.Time, s progress.Snapshot) {
	if v.streams == nil {
		v.streams = map[string]*rate{}
	}
	s.Datasets = slices.DeleteFunc(slices.Clone(s.Datasets), func(d progress.Dataset) bool {
		return d.Source == "" && urgency(d.State) > 0 // it only carries others
	})
	v.now, v.at = s, now
	v.whole.add(now, s.Bytes)
	for _, d := range s.Datasets {
		switch r := v.streams[d.Target]; {
		case d.State != progress.Sending:
			delete(v.streams, d.Target)
		case r == nil:
			v.streams[d.Target] = &rate{}
			v.streams[d.Target].add(now, d.Bytes)
		default:
			r.add(now, d.Bytes)
		}
	}
}

// Lines draws the run in at most height lines of at most width columns. With
// waiting it also shows what waits, if there is room.
func (v *View) Lines(width, height int, waiting bool) []Line {
	lines := []Line{{fit(v.total(width), width), Strong}}
	rows := v.rows(waiting)
	room := height - len(lines)
	if len(rows) > room || v.rest(rows) != "" {
		room-- // for the line that says how many there are
	}
	shown := rows[:max(0, min(room, len(rows)))]
	name := 0
	for _, d := range shown {
		name = max(name, utf8.RuneCountInString(nameOf(d)))
	}
	name = min(name, max(16, width*2/5))
	for _, d := range shown {
		lines = append(lines, v.row(d, name, width))
	}
	if rest := v.rest(shown); rest != "" && len(lines) < height {
		lines = append(lines, Line{fit(rest, width), Plain})
	}
	return lines
}

// rows are the datasets to show: those in trouble, those under way, and then
// what waits.
func (v *View) rows(waiting bool) (rows []progress.Dataset) {
	for _, d := range v.now.Datasets {
		if urgency(d.State) < 2 || waiting && d.State == progress.Waiting {
			rows = append(rows, d)
		}
	}
	slices.SortStableFunc(rows, func(a, b progress.Dataset) int { return cmp.Compare(urgency(a.State), urgency(b.State)) })
	return rows
}

func urgency(s progress.State) int {
	switch s {
	case progress.Failed, progress.Interrupted:
		return 0
	case progress.Sending:
		return 1
	case progress.Waiting:
		return 2
	}
	return 3
}

// rest counts what is not shown.
func (v *View) rest(shown []progress.Dataset) string {
	count := map[progress.State]int{}
	for _, d := range v.now.Datasets {
		count[d.State]++
	}
	for _, d := range shown {
		count[d.State]--
	}
	var parts []string
	sum := 0
	for _, s := range []progress.State{progress.Failed, progress.Interrupted, progress.Sending, progress.Waiting, progress.Done, progress.UpToDate} {
		if n := count[s]; n > 0 {
			sum += n
			parts = append(parts, fmt.Sprintf("%d %s", n, words[s]))
		}
	}
	if sum == 0 {
		return ""
	}
	return fmt.Sprintf("… and %d more: %s", sum, strings.Join(parts, ", "))
}

var words = map[progress.State]string{progress.Failed: "failed", progress.Interrupted: "interrupted", progress.Sending: "sending",
	progress.Waiting: "waiting", progress.Done: "done", progress.UpToDate: "up to date"}

func (v *View) row(d progress.Dataset, name, width int) Line {
	label := pad(shorten(nameOf(d), name), name)
	switch d.State {
	case progress.Sending:
		return Line{fit(label+"  "+v.bar(d.Bytes, d.Size, d.Saved, v.streams[d.Target], width-name-2), width), Plain}
	case progress.Waiting:
		text := "waiting"
		if d.Size > 0 {
			text += ", " + Bytes(d.Size)
		}
		return Line{fit(label+"  "+text, width), Plain}
	}
	return Line{fit(label+"  "+words[d.State]+": "+strings.TrimPrefix(d.Reason+": "+d.Error, ": "), width), Bad}
}

// total is the line of the whole.
func (v *View) total(width int) string {
	done, steps := 0, len(v.now.Datasets)
	for _, d := range v.now.Datasets {
		if d.State == progress.Done || d.State == progress.UpToDate || d.State == progress.Failed {
			done++
		}
	}
	of := fmt.Sprintf("%d of %d datasets", done, steps)
	size, _ := Whole(v.now)
	return of + "  " + v.bar(v.now.Bytes, size, v.now.Saved, &v.whole, width-len(of)-2)
}

// Whole is how many bytes a run moves in all, if the sizes of all its streams
// are known.
func Whole(s progress.Snapshot) (size uint64, known bool) {
	for _, d := range s.Datasets {
		switch {
		case d.State == progress.Sending || d.State == progress.Waiting && d.Done < d.Steps:
			if d.Size == 0 {
				return 0, false
			}
			size += max(d.Size, d.Bytes)
		default:
			size += d.Bytes
		}
	}
	return size, size > 0
}

const maxBar = 20

// bar is a bar, percent, bytes, rate, time left and what compression gains, as
// far as they are known.
func (v *View) bar(bytes, size uint64, saved int64, r *rate, width int) string {
	var parts []string
	perSecond := 0.0
	if r != nil {
		perSecond = r.perSecond(v.at)
	}
	moved := Bytes(bytes)
	if size > 0 {
		part := min(float64(bytes)/float64(size), 1)
		parts = append(parts, fmt.Sprintf("%3d%%", int(100*part)))
		moved += " of " + Bytes(max(size, bytes))
	}
	parts = append(parts, moved)
	if perSecond >= 1 {
		parts = append(parts, Bytes(uint64(perSecond))+"/s")
		if size > bytes {
			if left := float64(size-bytes) / perSecond; left < 365*24*3600 {
				parts = append(parts, Left(time.Duration(left*float64(time.Second)))+" left")
			}
		}
	}
	if gain := Gain(bytes, saved); gain != "" {
		parts = append(parts, gain)
	}
	text := strings.Join(parts, "  ")
	if room := min(maxBar, width-len(text)-4); size > 0 && room >= 5 {
		full := int(float64(room) * min(float64(bytes)/float64(size), 1))
		text = "[" + strings.Repeat("#", full) + strings.Repeat(".", room-full) + "] " + text
	}
	return text
}

// Gain says what compression gains, such as "2.4x"; "" if nothing is compressed.
func Gain(bytes uint64, saved int64) string {
	gain := progress.Gain(bytes, saved)
	if gain == 0 {
		return ""
	}
	return fmt.Sprintf("%.1fx", gain)
}

// Summary says in one line what a run has moved.
func Summary(s progress.Snapshot, took time.Duration) string {
	snapshots, datasets, fresh, failed := 0, 0, 0, 0
	for _, d := range s.Datasets {
		snapshots += d.Moved
		switch {
		case d.State == progress.Failed || d.State == progress.Interrupted:
			failed++
		case d.Bytes == 0 && d.Moved == 0 && d.Source != "":
			fresh++
		}
		if d.Bytes > 0 || d.Moved > 0 {
			datasets++
		}
	}
	moved := Bytes(s.Bytes)
	if gain := Gain(s.Bytes, s.Saved); gain != "" {
		moved += " (compressed " + gain + ")"
	}
	text := fmt.Sprintf("moved %s, %s, of %s in %s", number(snapshots, "snapshot"), moved, number(datasets, "dataset"), Left(took))
	if fresh > 0 {
		text += fmt.Sprintf("; %d up to date", fresh)
	}
	if failed > 0 {
		text += fmt.Sprintf("; %d not replicated", failed)
	}
	return text
}

func nameOf(d progress.Dataset) string { return cmp.Or(d.Source, d.Target) }
