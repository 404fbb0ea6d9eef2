package retention

import (
	"math"
	"slices"
	"strings"
)

// KeepAll is the Keep of an interval whose buckets lose nothing.
const KeepAll = math.MaxInt64

// Interval is Count buckets of one length, one after the other.
type Interval struct {
	Count  int64
	Length int64 // of a bucket, in seconds
	Keep   int64 // snapshots to keep in each bucket, or KeepAll
	Text   string
	start  int64 // the age at which it begins
}

// Grid is a row of intervals going back in time from an anchor.
//
// With Options.Arrival a snapshot makes another one go only if it is older by
// its creation and by its createtxg, and no snapshot that arrived after it
// claims to be older than it. For a given anchor, therefore, whatever arrives
// later destroys nothing that was there, however it is dated, and a snapshot
// dated ahead of its time takes no place from those taken until then.
type Grid struct {
	text      string
	intervals []Interval
}

// ParseGrid reads N x LENGTH[(keep=K|all)], joined by |. Spaces and tabs may
// stand between the parts. A bad one is an *Error.
func ParseGrid(text string) (*Grid, error) {
	p := &parser{what: "grid", text: text}
	g := &Grid{text: strings.TrimSpace(text)}
	var end int64
	var losing *Interval // the last one that does not keep all, and so the longest of these
	for {
		p.spaces()
		at := p.at
		iv, err := p.interval()
		if err != nil {
			return nil, err
		}
		if iv.Count > (math.MaxInt64-end)/iv.Length {
			return nil, p.errorf(at, "%s reaches back too far", iv.Text)
		}
		switch n := len(g.intervals); {
		case losing != nil && losing.Length > iv.Length:
			return nil, p.errorf(at, "%s has shorter buckets than %s before it, which does not keep all", iv.Text, losing.Text)
		case losing != nil && g.intervals[n-1].Length > iv.Length:
			return nil, p.errorf(at, "%s has shorter buckets than %s before it, and %s does not keep all", iv.Text, g.intervals[n-1].Text, losing.Text)
		}
		if iv.Keep != KeepAll {
			losing = &iv
		}
		iv.start = end
		end += iv.Count * iv.Length
		g.intervals = append(g.intervals, iv)
		if p.spaces(); p.at == len(p.text) {
			return g, nil
		}
		if !p.take("|") {
			return nil, p.errorf(p.at, "expected | between two intervals, not %q", p.text[p.at])
		}
	}
}

func (p *parser) interval() (iv Interval, err error) {
	from := p.at
	if iv.Count, err = p.number("a number of buckets"); err != nil {
		return iv, err
	}
	p.spaces()
	if !p.take("x") {
		return iv, p.errorf(p.at, "expected x after the number of buckets, as in 24x1h")
	}
	p.spaces()
	if iv.Length, err = p.duration(); err != nil {
		return iv, err
	}
	to := p.at
	iv.Keep = 1
	p.spaces()
	if p.take("(") {
		if iv.Keep, err = p.keep(); err != nil {
			return iv, err
		}
		to = p.at
	}
	iv.Text = p.text[from:to]
	return iv, nil
}

func (p *parser) keep() (n int64, err error) {
	p.spaces()
	if !p.take("keep") {
		return 0, p.errorf(p.at, "expected keep=NUMBER or keep=all in the parentheses")
	}
	p.spaces()
	if !p.take("=") {
		return 0, p.errorf(p.at, "expected = after keep")
	}
	p.spaces()
	if p.take("all") {
		n = KeepAll
	} else if n, err = p.number("keep"); err != nil {
		return 0, err
	}
	p.spaces()
	if !p.take(")") {
		return 0, p.errorf(p.at, "expected ) after keep")
	}
	return n, nil
}

// Intervals returns the grid's intervals, the youngest first.
func (g *Grid) Intervals() []Interval { return g.intervals }

// Span is the age in seconds at which the last bucket ends.
func (g *Grid) Span() int64 {
	last := g.intervals[len(g.intervals)-1]
	return last.start + last.Count*last.Length
}

func (g *Grid) String() string { return "grid " + g.text }

// decide walks from the oldest to the youngest, so that the first it meets of
// a bucket are those that are kept. A bucket holds its older edge and not its
// younger one, and age 0 belongs to none.
func (g *Grid) decide(v view) {
	at := len(g.intervals) // intervals seen so far, from the oldest
	bucket, full := int64(-1), places{}
	contradicted := v.contradicted()
	for _, i := range v.byDate {
		age := v.age(i)
		switch {
		case v.future(i):
			v.say(i, true, "future")
			continue
		case age <= 0:
			v.say(i, true, "anchor")
			continue
		}
		for at > 0 && (at == len(g.intervals) || age <= g.intervals[at].start) {
			at--
			bucket = -1
		}
		iv := &g.intervals[at]
		b := (age - iv.start - 1) / iv.Length
		if b >= iv.Count {
			v.say(i, false, "grid end")
			continue
		}
		if b != bucket {
			bucket, full = b, places{keep: iv.Keep, arrival: v.arrival, taken: full.taken[:0]}
		}
		txg := v.snaps[i].CreateTXG
		v.say(i, full.free(txg), iv.Text)
		if !contradicted[i] {
			full.take(txg)
		}
	}
}

// places are those of a bucket, each taken by an older snapshot than those
// that come after.
type places struct {
	keep    int64
	arrival bool
	taken   []uint64 // the smallest createtxgs, in order; at most keep
}

// free reports whether there is a place for a snapshot. One that arrived later
// takes none from it.
func (p *places) free(txg uint64) bool {
	n := len(p.taken)
	return int64(n) < p.keep || p.arrival && p.taken[n-1] > txg
}

func (p *places) take(txg uint64) {
	if p.keep == KeepAll || !p.free(txg) {
		return
	}
	at := len(p.taken)
	if p.arrival {
		at, _ = slices.BinarySearch(p.taken, txg)
	}
	p.taken = slices.Insert(p.taken, at, txg)
	p.taken = p.taken[:min(int64(len(p.taken)), p.keep)]
}
