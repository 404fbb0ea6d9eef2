package retention

import (
	"fmt"
	"regexp"
)

// Rule is one rule of a policy.
type Rule interface {
	String() string
	decide(view)
}

// LastN keeps the newest n, which is at least 1.
func LastN(n int64) (Rule, error) {
	if n < 1 {
		return nil, fmt.Errorf("last_n: a count of %d: it must be at least 1", n)
	}
	return lastN(n), nil
}

type lastN int64

func (n lastN) String() string { return fmt.Sprintf("last_n %d", int64(n)) }

func (n lastN) decide(v view) {
	why := n.String()
	for at, i := range v.order {
		v.say(i, int64(len(v.order)-at) <= int64(n), why)
	}
}

// Regex keeps the snapshots whose name (after the @) matches, or with negate
// those whose name does not. The syntax is RE2's; the match may be anywhere
// in the name.
func Regex(expr string, negate bool) (Rule, error) {
	re, err := regexp.Compile(expr)
	if err != nil {
		return nil, fmt.Errorf("regex: %w", err)
	}
	return regex{re, negate}, nil
}

type regex struct {
	re     *regexp.Regexp
	negate bool
}

func (r regex) String() string {
	if r.negate {
		return "regex not " + r.re.String()
	}
	return "regex " + r.re.String()
}

func (r regex) decide(v view) {
	why := r.String()
	for _, i := range v.order {
		v.say(i, r.re.MatchString(v.snaps[i].Name) != r.negate, why)
	}
}

// NotReplicated keeps what has not been replicated yet.
func NotReplicated() Rule { return notReplicated{} }

type notReplicated struct{}

func (notReplicated) String() string { return "not_replicated" }

func (notReplicated) decide(v view) {
	for _, i := range v.order {
		v.say(i, !v.snaps[i].Replicated, "not_replicated")
	}
}

// Arrived keeps what arrived less than age seconds ago, whatever its creation
// says. See Options.Arrived.
func Arrived(age int64) (Rule, error) {
	if age < 1 {
		return nil, fmt.Errorf("arrived: an age of %d seconds: it must be at least 1", age)
	}
	return arrived(age), nil
}

type arrived int64

func (a arrived) String() string { return "arrived " + FormatDuration(int64(a)) }

func (a arrived) decide(v view) {
	why, there := a.String(), uint64(0)
	if v.arrived != nil {
		there = v.arrived(int64(a))
	}
	for _, i := range v.order {
		txg := v.snaps[i].CreateTXG
		v.say(i, txg == 0 || txg > there, why)
	}
}

// LongestArrived returns the largest age of the policy's rules arrived, in
// seconds; 0: it has none.
func (p *Policy) LongestArrived() int64 {
	age := arrived(0)
	for _, rule := range p.rules {
		if a, ok := rule.(arrived); ok {
			age = max(age, a)
		}
	}
	return int64(age)
}
