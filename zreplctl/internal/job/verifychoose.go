package job

import (
	"cmp"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/replicate"
)

// choose takes the datasets that are to be compared.
func (v *Verify) choose(pairs []replicate.Pair) (chosen []replicate.Pair, err error) {
	var rest []replicate.Pair // without a copy, which costs nothing
	for _, p := range pairs {
		switch {
		case v.Pass != nil && !v.Pass(p.Source):
		case p.Why != "":
			rest = append(rest, p)
		default:
			chosen = append(chosen, p)
		}
	}
	if len(chosen)+len(rest) == 0 && len(v.notes.orphans(v.listed)) == 0 {
		return nil, errors.New("the job has no such dataset")
	}
	if v.Of > 0 {
		n := (len(chosen)*v.Part + v.Of - 1) / v.Of
		now := time.Now()
		chosen = sample(chosen, n, v.notes.tried, now.Unix(), now.AddDate(0, 0, -v.Of/v.Part).Unix())
	}
	return append(chosen, rest...), nil
}

// sample takes n datasets: those that were looked at longest ago. New ones get at
// most half of the places if others were not looked at since so long ago: if many
// are made every day, nothing else would be compared.
func sample(all []replicate.Pair, n int, when func(target string) int64, now, since int64) []replicate.Pair {
	var fresh, old []replicate.Pair
	waiting := 0
	tried := func(p replicate.Pair) int64 {
		at := when(p.Target)
		if at > now { // a clock was wrong
			return 0
		}
		return at
	}
	for _, p := range all {
		if when(p.Target) == 0 {
			fresh = append(fresh, p)
		} else {
			old = append(old, p)
			if tried(p) <= since {
				waiting++
			}
		}
	}
	slices.SortStableFunc(old, func(a, b replicate.Pair) int { return cmp.Compare(tried(a), tried(b)) })
	n = min(n, len(all))
	half := (n + rand.IntN(2)) / 2 // of an odd number, neither side has one place more for ever
	news := min(len(fresh), max(half, n-waiting))
	return slices.Concat(fresh[:news], old[:n-news])
}
