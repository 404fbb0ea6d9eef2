package live

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// window is over how long a rate is taken.
const window = 10 * time.Second

// rate knows how much came lately.
type rate struct{ seen []sample }

type sample struct {
	at    time.Time
	bytes uint64
}

func (r *rate) add(at time.Time, bytes uint64) {
	r.seen = append(r.seen, sample{at, bytes})
	for len(r.seen) > 2 && at.Sub(r.seen[1].at) >= window {
		r.seen = r.seen[1:]
	}
}

// perSecond is the rate of late; 0: it is not known.
func (r *rate) perSecond(now time.Time) float64 {
	if len(r.seen) < 2 {
		return 0
	}
	first, last := r.seen[0], r.seen[len(r.seen)-1]
	passed := now.Sub(first.at).Seconds()
	if passed < 0.5 || last.bytes <= first.bytes {
		return 0
	}
	return float64(last.bytes-first.bytes) / passed
}

// Bytes writes a number of bytes for a person.
func Bytes(n uint64) string {
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

// Left writes a length of time in its two largest units.
func Left(d time.Duration) string {
	s := int64(d.Round(time.Second) / time.Second)
	switch {
	case s < 60:
		return fmt.Sprintf("%ds", s)
	case s < 3600:
		return fmt.Sprintf("%dm%02ds", s/60, s%60)
	case s < 48*3600:
		return fmt.Sprintf("%dh%02dm", s/3600, s/60%60)
	}
	return fmt.Sprintf("%d days", s/86400)
}

func number(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// fit cuts a line to a width.
func fit(s string, width int) string {
	s = strings.TrimRight(s, " ")
	if utf8.RuneCountInString(s) <= width {
		return s
	}
	return string([]rune(s)[:max(0, width-1)]) + "…"
}

// shorten leaves out the beginning of a name: its end tells datasets apart.
func shorten(s string, width int) string {
	r := []rune(s)
	if len(r) <= width {
		return s
	}
	return "…" + string(r[len(r)-width+1:])
}

func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-utf8.RuneCountInString(s)))
}
