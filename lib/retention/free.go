package retention

import (
	"errors"
	"math"
	"math/bits"
	"slices"
	"strings"
)

// Space is how much of a pool is free, in bytes.
type Space struct{ Free, Total uint64 }

// free keeps everything while its pool has space. Alone it destroys nothing:
// it only lets the verdicts of the other rules wait.
type free struct {
	text    string
	percent uint64 // of the pool; 0: bytes counts
	bytes   uint64
}

// ParseFree reads below how much free space the other rules decide: a part of
// the pool, 1% to 99%, or bytes, with one of K, M, G, T and P for powers of
// 1024. A bad one is an *Error.
func ParseFree(text string) (Rule, error) {
	p := &parser{what: "free space", text: text}
	n, err := p.number("a size")
	if err != nil {
		return nil, err
	}
	f := free{text: text}
	if p.take("%") {
		if f.percent = uint64(n); n > 99 {
			return nil, p.errorf(0, "a part must be from 1%% to 99%%")
		}
	} else {
		f.bytes = uint64(n)
		if p.at < len(text) {
			if power := strings.IndexByte("KMGTP", text[p.at]); power >= 0 {
				factor := uint64(1) << (10 * (power + 1))
				if f.bytes > math.MaxUint64/factor {
					return nil, p.errorf(0, "a size of %s is too large", text)
				}
				f.bytes *= factor
				p.at++
			}
		}
	}
	if p.at < len(text) {
		return nil, p.errorf(p.at, "%q does not belong here: a size is such as 10%% or 500G", text[p.at:])
	}
	return f, nil
}

func (f free) String() string { return "free below=" + f.text }

// short reports whether a pool has less free space than the rule says.
func (f free) short(s Space) bool {
	if f.percent == 0 {
		return s.Free < f.bytes
	}
	freeHigh, freeLow := bits.Mul64(s.Free, 100)
	high, low := bits.Mul64(s.Total, f.percent)
	return freeHigh < high || freeHigh == high && freeLow < low
}

func (f free) decide(v view) {
	keep, why := true, "free space unknown"
	if v.space != nil {
		keep, why = !f.short(*v.space), f.String()
	}
	for _, i := range v.order {
		v.say(i, keep, why)
	}
}

func isFree(r Rule) bool {
	_, is := r.(free)
	return is
}

// NeedsSpace reports whether the policy needs Options.Space: without it, it
// destroys nothing.
func (p *Policy) NeedsSpace() bool { return slices.ContainsFunc(p.rules, isFree) }

// Check returns an error if the policy can never destroy anything although it
// has rules.
func (p *Policy) Check() error {
	if len(p.rules) > 0 && !p.decides() {
		return errors.New("the rule free needs another one: it only decides when what others do not keep is destroyed")
	}
	return nil
}

// decides reports whether there is a rule that can let a snapshot be destroyed.
func (p *Policy) decides() bool {
	return slices.ContainsFunc(p.rules, func(r Rule) bool { return !isFree(r) })
}

// deciding returns the rules in the order in which they are asked, none if they
// cannot decide. The rule free comes last, so that a verdict names it only for
// what the others do not keep.
func (p *Policy) deciding() []Rule {
	switch {
	case !p.decides():
		return nil
	case !p.NeedsSpace():
		return p.rules
	}
	rules := slices.Clone(p.rules)
	slices.SortStableFunc(rules, func(a, b Rule) int {
		switch {
		case isFree(a) == isFree(b):
			return 0
		case isFree(a):
			return 1
		}
		return -1
	})
	return rules
}
