package retention

import (
	"fmt"
	"regexp"
)

// Among lets a rule that counts (a grid, a calendar, last_n) count only the
// snapshots whose names (after the @) match, as if there were no others. It keeps none of the
// others. What no rule that counts is about stays: see Policy.
func Among(rule Rule, expr string) (Rule, error) {
	re, err := regexp.Compile(expr)
	if err != nil {
		return nil, fmt.Errorf("regex: %w", err)
	}
	return among{rule, re}, nil
}

type among struct {
	rule Rule
	re   *regexp.Regexp
}

func (a among) String() string { return a.rule.String() + " of " + a.re.String() }

func (a among) decide(v view) {
	mine := v
	mine.byDate = v.only(v.byDate, a.re)
	mine.order = v.only(v.order, a.re)
	for _, i := range v.order {
		if !a.re.MatchString(v.snaps[i].Name) {
			v.say(i, false, "")
		}
	}
	if len(mine.order) == 0 {
		return
	}
	mine.anchor = mine.begin(v.given)
	a.rule.decide(mine)
}

// only returns those of a list whose names match.
func (v view) only(list []int32, re *regexp.Regexp) []int32 {
	var mine []int32
	for _, i := range list {
		if re.MatchString(v.snaps[i].Name) {
			mine = append(mine, i)
		}
	}
	return mine
}

// unfold returns a rule without what Among put around it.
func unfold(rule Rule) Rule {
	if a, ok := rule.(among); ok {
		return a.rule
	}
	return rule
}

// counted reports of a policy whether a rule that counts is about a snapshot, or
// no rule counts some and not others.
func (p *Policy) counted() func(name string) bool {
	var some []*regexp.Regexp
	for _, rule := range p.rules {
		switch r := rule.(type) {
		case among:
			some = append(some, r.re)
		case *Grid, *calendar, lastN:
			return func(string) bool { return true } // it counts all
		}
	}
	return func(name string) bool {
		for _, re := range some {
			if re.MatchString(name) {
				return true
			}
		}
		return len(some) == 0
	}
}
