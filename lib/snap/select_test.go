package snap

import (
	"testing"
	"time"
)

// The newest snapshot is the one last taken, also when the clock was set back
// in between, and one from the future does not hold up the next.
func TestDue(t *testing.T) {
	const now = 1_000_000
	old := func(age int64, txg, written uint64, matches bool) version {
		return version{txg: txg, written: written, creation: now - age, matches: matches}
	}
	for name, c := range map[string]struct {
		versions []version
		written  uint64
		older    time.Duration
		ifW      bool
		want     bool
	}{
		"no snapshot":                    {nil, 0, time.Hour, true, true},
		"a foreign one":                  {[]version{old(1, 5, 0, false)}, 0, time.Hour, true, true},
		"a young one":                    {[]version{old(3599, 5, 0, true)}, 9, time.Hour, false, false},
		"one just old enough":            {[]version{old(3600, 5, 0, true)}, 9, time.Hour, false, true},
		"the second of now":              {[]version{old(0, 5, 0, true)}, 9, time.Hour, false, false},
		"an old one behind a young":      {[]version{old(5, 9, 0, true), old(9999, 5, 0, true)}, 9, time.Hour, false, false},
		"from the future":                {[]version{old(-60, 5, 0, true)}, 9, time.Hour, false, true},
		"taken since the clock was back": {[]version{old(-3000, 5, 0, true), old(60, 6, 0, true)}, 9, time.Hour, false, false},
		"nothing written":                {[]version{old(9999, 5, 7, true)}, 0, 0, true, false},
		"written":                        {[]version{old(9999, 5, 0, true)}, 1, 0, true, true},
		"written before a foreign one":   {[]version{old(9999, 5, 0, true), old(50, 6, 1, false)}, 0, 0, true, true},
		"written before ours":            {[]version{old(50, 6, 0, true), old(9999, 5, 1, false)}, 0, 0, true, false},
		"written, but young":             {[]version{old(5, 5, 0, true)}, 1, time.Hour, true, false},
	} {
		r := &run{now: time.Unix(now, 0), o: Options{IfOlder: c.older, IfWritten: c.ifW}}
		f := &found{versions: c.versions, written: c.written}
		f.newest()
		if got := r.due(f); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
