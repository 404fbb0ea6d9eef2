package retention

import (
	"errors"
	"testing"
)

func TestParseGridErrors(t *testing.T) {
	for _, c := range []struct {
		text   string
		offset int
		reason string
	}{
		{"", 0, "a number of buckets must be a whole number"},
		{"   ", 3, "a number of buckets must be a whole number"},
		{"24x1h |", 7, "a number of buckets must be a whole number"},
		{"| 24x1h", 0, "a number of buckets must be a whole number"},
		{"-1x1h", 0, "a number of buckets must be a whole number"},
		{"0x1h", 0, "a number of buckets must be at least 1"},
		{"1x0h", 2, "a length must be at least 1"},
		{"24x", 3, "a length must be a whole number"},
		{"24xh", 3, "a length must be a whole number"},
		{"24x1.5h", 4, "a unit is missing: s, m, min, h, d, w, mon or y"},
		{"24x1", 4, "a unit is missing: s, m, min, h, d, w, mon or y"},
		{"24x1H", 4, `unit "H" is not known: units are in lower case`},
		{"24x1Mon", 4, `unit "Mon" is not known: units are in lower case`},
		{"24x1fortnight", 4, `unit "fortnight" is not known: s, m, min, h, d, w, mon or y`},
		{"24X1h", 2, "expected x after the number of buckets, as in 24x1h"},
		{"2 4x1h", 2, "expected x after the number of buckets, as in 24x1h"},
		{"24x1 h", 4, "a unit is missing: s, m, min, h, d, w, mon or y"},
		{"24h", 2, "expected x after the number of buckets, as in 24x1h"},
		{"1x1h(keep=0)", 10, "keep must be at least 1"},
		{"1x1h(keep=-1)", 10, "keep must be a whole number"},
		{"1x1h(keep=ALL)", 10, "keep must be a whole number"},
		{"1x1h(KEEP=1)", 5, "expected keep=NUMBER or keep=all in the parentheses"},
		{"1x1h(keep)", 9, "expected = after keep"},
		{"1x1h(keep=2", 11, "expected ) after keep"},
		{"1x1h(keep=2.5)", 11, "expected ) after keep"},
		{"1x1h()", 5, "expected keep=NUMBER or keep=all in the parentheses"},
		{"1x1h, 2x1d", 4, "expected | between two intervals, not ','"},
		{"1x1h 2x1d", 5, "expected | between two intervals, not '2'"},
		{"1x1d | 24x1h", 7, "24x1h has shorter buckets than 1x1d before it, which does not keep all"},
		{"1x1d(keep=all) | 1x1h | 1x1min", 24, "1x1min has shorter buckets than 1x1h before it, which does not keep all"},
		{"1x1h | 1x1d(keep=all) | 1x2h", 24, "1x2h has shorter buckets than 1x1d(keep=all) before it, and 1x1h does not keep all"},
		{"99999999999999999999x1h", 0, "a number of buckets of 99999999999999999999 is too large"},
		{"1x9223372036854775807h", 2, "a length of 9223372036854775807h is too large"},
		{"9223372036854775807x1h", 0, "9223372036854775807x1h reaches back too far"},
		{"1x1s | 9223372036854775807x1s", 7, "9223372036854775807x1s reaches back too far"},
	} {
		_, err := ParseGrid(c.text)
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%q: %v", c.text, err)
			continue
		}
		if c.reason != e.Reason || c.offset != e.Offset {
			t.Errorf("%q: byte %d: %s; want byte %d: %s", c.text, e.Offset, e.Reason, c.offset, c.reason)
		}
	}
}

func TestParseGrid(t *testing.T) {
	for text, span := range map[string]int64{
		"1x1h":                                        3600,
		" 24 x 1h\t( keep = 3 ) |35x1d ":              24*3600 + 35*86400,
		"1x1h(keep=all) | 24x1h | 35x1d | 6x30d":      3600 + 24*3600 + 35*86400 + 180*86400,
		"1x1d(keep=all)|24x1h":                        2 * 86400,
		"1x1s|1x1m|1x1min|1x1h|1x1d|1x1w|1x1mon|1x1y": 1 + 60 + 60 + 3600 + 86400 + 7*86400 + 30*86400 + 365*86400,
	} {
		g, err := ParseGrid(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
		} else if g.Span() != span {
			t.Errorf("%q: spans %d, want %d", text, g.Span(), span)
		}
	}
}

func TestGridEdges(t *testing.T) {
	const anchor = 1_000_000
	for _, c := range []struct {
		grid string
		ages []int64 // of snapshots, the newest has 0
		gone []int64
	}{
		{"1x10s", []int64{0, 0, 1, 5, 10}, []int64{1, 5}},
		{"1x10s", []int64{0, 11}, []int64{11}},
		{"2x10s", []int64{0, 10, 11, 20, 21}, []int64{11, 21}},
		{"1x10s(keep=2)", []int64{0, 1, 2, 3, 10}, []int64{1, 2}},
		{"1x10s(keep=all) | 1x10s", []int64{0, 1, 10, 11, 12, 20, 30}, []int64{11, 12, 30}},
		{"1x10s(keep=all) | 1x1s | 1x5s", []int64{0, 9, 11, 12, 16, 17}, []int64{12, 17}},
	} {
		g, err := ParseGrid(c.grid)
		if err != nil {
			t.Fatal(err)
		}
		var snaps []Snapshot
		for i, age := range c.ages {
			snaps = append(snaps, Snapshot{Name: string(rune('a' + i)), Creation: anchor - age})
		}
		var gone []int64
		for i, v := range New(g).Apply(snaps, Options{}) {
			if v.Destroy {
				gone = append(gone, c.ages[i])
			}
		}
		if len(gone) != len(c.gone) {
			t.Errorf("%s of ages %v: %v go, want %v", c.grid, c.ages, gone, c.gone)
			continue
		}
		for i := range gone {
			if gone[i] != c.gone[i] {
				t.Errorf("%s of ages %v: %v go, want %v", c.grid, c.ages, gone, c.gone)
			}
		}
	}
}

func TestFormatDuration(t *testing.T) {
	for seconds, want := range map[int64]string{0: "0s", 1: "1s", 60: "1m", 90: "90s", 3600: "1h", 86400: "1d", 14 * 86400: "2w", 30 * 86400: "1mon", 730 * 86400: "2y"} {
		got := FormatDuration(seconds)
		if got != want {
			t.Errorf("%d: %s, want %s", seconds, got, want)
		}
		if seconds > 0 {
			if back, err := ParseDuration(got); err != nil || back != seconds {
				t.Errorf("%s: %d, %v", got, back, err)
			}
		}
	}
}

func FuzzGrid(f *testing.F) {
	for _, seed := range []string{"1x1h(keep=all) | 24x1h | 35x1d | 6x30d", "1 x 1s ( keep = 2 )", "9223372036854775807x1s", "1x1y|", "x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		g, err := ParseGrid(text)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Offset < 0 || e.Offset > len(text) || e.Error() == "" {
				t.Fatalf("%q: %#v", text, err)
			}
			return
		}
		again, err := ParseGrid(g.text)
		if err != nil || again.Span() != g.Span() || g.Span() < 1 {
			t.Fatalf("%q: %q: %v", text, g.text, err)
		}
		snaps := []Snapshot{{Name: "a", Creation: 1 << 40}, {Name: "b", Creation: 1<<40 - 3}, {Name: "c"}, {Name: "d", Creation: 1 << 62}, {Name: "e", Creation: -1 << 63}}
		for i, v := range New(g).Apply(snaps, Options{}) {
			if i == 3 && v.Destroy || v.Rule == "" {
				t.Fatalf("%q: %+v: %+v", text, snaps[i], v)
			}
		}
		for _, o := range []Options{{Now: 5, Arrival: true}, {Now: 1 << 41}, {Arrival: true}} {
			verdicts := New(g).Apply(snaps, o)
			if verdicts[3].Destroy {
				t.Fatalf("%q, %+v: the one from the future goes", text, o)
			}
			New(g).Timeline("x", snaps, verdicts, o)
		}
		New(g).Timeline("x", snaps, make([]Verdict, 5), Options{})
	})
}
