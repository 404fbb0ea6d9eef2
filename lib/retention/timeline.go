package retention

import (
	"fmt"
	"strings"
	"time"
)

// maxCells is the width of a row of the timeline, in characters.
const maxCells = 60

// usual divides time where a policy has no grid and no calendar that do.
const usual = "1x1h(keep=all) | 23x1h | 29x1d | 11x30d | 9x1y"

// cell is a piece of time in the picture.
type cell struct{ stay, gone int }

// Timeline draws which of one dataset's snapshots are kept, a row
// for each interval of the policy's first grid or kind of its first calendar. It
// ends with a line break.
func (p *Policy) Timeline(title string, snaps []Snapshot, verdicts []Verdict, o Options) string {
	v := o.view(snaps, make([]Verdict, len(snaps)))
	if len(v.order) == 0 {
		return fmt.Sprintf("%s: no snapshots with the prefix\n", title)
	}
	d := newDrawing(p.grid())
	for _, i := range v.order {
		d.add(v.age(i), verdicts[i].Destroy)
	}
	return d.text(title, v.anchor)
}

func (p *Policy) grid() *Grid {
	for _, r := range p.rules {
		switch r := unfold(r).(type) {
		case *Grid:
			return r
		case *calendar:
			return r.drawn()
		}
	}
	g, _ := ParseGrid(usual)
	return g
}

type drawing struct {
	grid   *Grid
	cells  [][]cell // by interval; the anchor's before them, older ones after
	widths []int64  // buckets in a cell
}

func newDrawing(g *Grid) *drawing {
	d := &drawing{grid: g}
	for _, iv := range g.intervals {
		width := (iv.Count-1)/maxCells + 1
		d.widths = append(d.widths, width)
		d.cells = append(d.cells, make([]cell, (iv.Count-1)/width+1))
	}
	d.cells = append(d.cells, make([]cell, 1), make([]cell, 1))
	return d
}

func (d *drawing) add(age int64, goes bool) {
	c := d.at(age)
	if goes {
		c.gone++
	} else {
		c.stay++
	}
}

func (d *drawing) at(age int64) *cell {
	n := len(d.grid.intervals)
	if age <= 0 {
		return &d.cells[n][0]
	}
	for i, iv := range d.grid.intervals {
		if b := (age - iv.start - 1) / iv.Length; b < iv.Count {
			return &d.cells[i][b/d.widths[i]]
		}
	}
	return &d.cells[n+1][0]
}

func (d *drawing) text(title string, anchor int64) string {
	var b strings.Builder
	total := sum(d.cells...)
	fmt.Fprintf(&b, "%s: %d kept, %d destroyed; newest %s\n", title, total.stay, total.gone,
		time.Unix(anchor, 0).UTC().Format("2006-01-02 15:04:05"))
	fmt.Fprintf(&b, "  %-22s %-12s %8s %8s  %s\n", "interval", "to age", "keep", "destroy", "young to old")
	n := len(d.grid.intervals)
	row := func(name, to string, cells []cell) {
		s := sum(cells)
		fmt.Fprintf(&b, "  %-22s %-12s %8d %8d  %s\n", name, to, s.stay, s.gone, picture(cells))
	}
	row("newest", "0s", d.cells[n])
	for i, iv := range d.grid.intervals {
		row(iv.Text, formatAge(iv.start+iv.Count*iv.Length), d.cells[i])
	}
	row("older", "", d.cells[n+1])
	return b.String()
}

func sum(rows ...[]cell) (s cell) {
	for _, row := range rows {
		for _, c := range row {
			s.stay += c.stay
			s.gone += c.gone
		}
	}
	return s
}

// picture has a character for each cell: how many are kept (+ for ten and more),
// a dot if none is, and _ if it has no snapshot.
func picture(cells []cell) string {
	b := make([]byte, len(cells))
	for i, c := range cells {
		switch {
		case c.stay > 9:
			b[i] = '+'
		case c.stay > 0:
			b[i] = byte('0' + c.stay)
		case c.gone > 0:
			b[i] = '.'
		default:
			b[i] = '_'
		}
	}
	return string(b)
}

// Legend explains the characters of a timeline.
const Legend = "a character is a bucket: 1 to 9 are kept, + more are kept, . none is kept, _ no snapshot\n"

// formatAge writes seconds for people: the two largest units of d, h, m, s.
func formatAge(seconds int64) string {
	var parts []string
	for _, unit := range []string{"d", "h", "m", "s"} {
		if n := seconds / units[unit]; n > 0 && len(parts) < 2 {
			parts = append(parts, fmt.Sprintf("%d%s", n, unit))
			seconds -= n * units[unit]
		}
	}
	if len(parts) == 0 {
		return "0s"
	}
	return strings.Join(parts, "")
}
