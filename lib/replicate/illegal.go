package replicate

import (
	"fmt"

	"github.com/zrepl-tools/zrepl-tools/lib/clean"
	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/plan"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// maxIllegal is how many datasets that cannot be are reported by name, of
// those that have no place in a plan.
const maxIllegal = 20

// outlaws are datasets that an end names and that have no place in a plan,
// since they cannot be mapped: each is a failure of its own.
type outlaws struct {
	results []plan.Result
	more    int
}

func (o *outlaws) add(source, target, format string, args ...any) {
	if len(o.results) == maxIllegal {
		o.more++
		return
	}
	c := &plan.Conflict{Reason: plan.Illegal, Text: fmt.Sprintf(format, args...)}
	o.results = append(o.results, plan.Result{Source: clean.Name(source), Target: clean.Name(target), Conflict: c})
}

// all are the results, with one for those beyond the limit.
func (o *outlaws) all() []plan.Result {
	if o.more == 0 {
		return o.results
	}
	c := &plan.Conflict{Reason: plan.Illegal, Text: "an end lists more datasets that cannot be"}
	return append(o.results, plan.Result{Source: fmt.Sprintf("(%d more)", o.more), Conflict: c})
}

// lawful leaves out of the sender's list what has no legal name.
func (v *view) lawful(from []transfer.Dataset) []transfer.Dataset {
	out := from[:0]
	for _, d := range from {
		if err := dataset.CheckName(d.Name); err != nil {
			v.outlaws.add(d.Name, "", "the sender lists it: %v", err)
			continue
		}
		out = append(out, d)
	}
	return out
}

// receivers takes the receiver's list into the view.
func (v *view) receivers(to []transfer.Dataset) {
	for _, d := range to {
		if err := dataset.CheckName(d.Name); err != nil {
			v.outlaws.add("", d.Name, "the receiver lists it: %v", err)
			continue
		}
		if d.Aside != "" {
			v.asides[d.Aside] = d.Name
			continue
		}
		v.targets[d.Name] = d
	}
}

// judgeTargets leaves of the receiver's answer what can be: a legal name, and
// of one source only.
func (v *view) judgeTargets(from []transfer.Dataset, targets map[string]string) {
	first := map[string]string{}
	var bad []string
	for _, d := range from {
		target, ok := targets[d.Name]
		if !ok {
			continue
		}
		if err := dataset.CheckName(target); err != nil {
			v.outlaws.add(d.Name, "", "it would go to \"%s\": %v", clean.Name(target), err)
			bad = append(bad, d.Name)
			continue
		}
		if was, top := v.wasAside(target); top != "" {
			v.outlaws.add(d.Name, target, "it would go to what was set aside, and was the copy %q: rename one of them, or destroy that if nobody needs it", was)
			bad = append(bad, d.Name)
			continue
		}
		other, twice := first[target]
		if !twice {
			first[target] = d.Name
			continue
		}
		if other != "" {
			v.outlaws.add(other, "", "%q would go to %q, too", d.Name, target)
			bad, first[target] = append(bad, other), ""
		}
		v.outlaws.add(d.Name, "", "another dataset would go to %q, too", target)
		bad = append(bad, d.Name)
	}
	for _, name := range bad {
		delete(targets, name)
		v.outside[name] = true
	}
}

// wasAside is what was set aside and a target is, or is below, after the name that
// it had; empty: none.
func (v *view) wasAside(target string) (was, top string) {
	for of, name := range v.asides {
		if dataset.Within(target, name) {
			return of, name
		}
	}
	return "", ""
}

// illegal says why a dataset of either end cannot be planned for.
func illegal(source, target transfer.Dataset) string {
	switch {
	case source.Illegal != "":
		return "the sender's list cannot be true: " + source.Illegal
	case target.Illegal != "":
		return "the receiver's list cannot be true: " + target.Illegal
	}
	return ""
}

// key is under which a result stands in the tracker.
func key(r *plan.Result) string {
	if r.Target == "" || r.Conflict != nil && r.Conflict.Reason == plan.Illegal && r.Source == "" {
		return "\x00" + r.Source + "\x00" + r.Target // no target of this name can be
	}
	return r.Target
}
