package retention

import (
	"context"
	"strconv"
	"strings"
	"testing"
)

func simulate(t *testing.T, life, grid string) (*Policy, []Snapshot) {
	every, length, err := ParseSimulation(life)
	if err != nil {
		t.Fatal(err)
	}
	g, err := ParseGrid(grid)
	if err != nil {
		t.Fatal(err)
	}
	s := Simulation{Every: every, For: length, End: 1_790_000_000, Name: func(c int64) string { return strconv.FormatInt(c, 10) }}
	held, err := s.Run(context.Background(), New(g))
	if err != nil {
		t.Fatal(err)
	}
	return New(g), held
}

// Where the lengths of a grid fit each other, a life of pruning ends with just
// as many snapshots in each bucket as the grid says.
func TestSimulateFillsEveryBucket(t *testing.T) {
	p, held := simulate(t, "every 10m for 300d", "1x1h(keep=all) | 24x1h | 35x1d | 6x30d")
	got := p.Timeline("tank/a", held, make([]Verdict, len(held)), Options{})
	want := `tank/a: 72 kept, 0 destroyed; newest 2026-09-21 14:13:20
  interval               to age           keep  destroy  young to old
  newest                 0s                  1        0  1
  1x1h(keep=all)         1h                  6        0  6
  24x1h                  1d1h               24        0  111111111111111111111111
  35x1d                  36d1h              35        0  11111111111111111111111111111111111
  6x30d                  216d1h              6        0  111111
  older                                      0        0  _
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestTimelineShowsWhatGoes(t *testing.T) {
	g, err := ParseGrid("1x10s(keep=all) | 3x10s")
	if err != nil {
		t.Fatal(err)
	}
	var snaps []Snapshot
	for i := range int64(15) {
		snaps = append(snaps, Snapshot{Name: "s", Creation: 100 - 4*i})
	}
	p := New(g)
	got := p.Timeline("a", snaps, p.Apply(snaps, Options{}), Options{})
	want := `a: 6 kept, 9 destroyed; newest 1970-01-01 00:01:40
  interval               to age           keep  destroy  young to old
  newest                 0s                  1        0  1
  1x10s(keep=all)        10s                 2        0  2
  3x10s                  40s                 3        5  111
  older                                      0        4  .
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := p.Timeline("a", snaps, nil, Options{Prefix: "x"}); !strings.Contains(got, "no snapshots") {
		t.Error(got)
	}
}

func TestParseSimulationErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                       `simulation "": at its end: expected "every", as in every 10m for 2y`,
		"each 10m":               `simulation "each 10m": byte 1: expected "every", as in every 10m for 2y`,
		"every 10 for 2y":        `simulation "every 10 for 2y": byte 9: a unit is missing: s, m, min, h, d, w, mon or y`,
		"every 10m":              `simulation "every 10m": at its end: expected "for", as in every 10m for 2y`,
		"every 10m for 2y, then": `simulation "every 10m for 2y, then": byte 17: ", then" does not belong here`,
		"every 2y for 10m":       `simulation "every 2y for 10m": at its end: not a single snapshot: every 2y for 10m`,
	} {
		if _, _, err := ParseSimulation(text); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
	s := Simulation{Every: 1, For: MaxSteps + 1, End: 1 << 40}
	if _, err := s.Run(context.Background(), New()); err == nil {
		t.Error("too many steps are run")
	}
	s = Simulation{Every: 10, For: 100, End: 99}
	if _, err := s.Run(context.Background(), New()); err == nil {
		t.Error("a life before 1970")
	}
}
