package job

import (
	"fmt"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/fault"
	"github.com/zrepl-tools/zrepl-tools/lib/plan"
	"github.com/zrepl-tools/zrepl-tools/lib/progress"
)

// DatasetsError says which datasets were not replicated.
type DatasetsError struct{ Failed []progress.Dataset }

// Error has a reason of at least one of them.
func (e *DatasetsError) Error() string {
	if len(e.Failed) == 0 {
		return "not everything was replicated"
	}
	return fmt.Sprintf("%d datasets were not replicated: %v", len(e.Failed), e.Each()[0])
}

// DatasetError says why one dataset, or several for one reason, was not
// replicated.
type DatasetError struct {
	Reason plan.Reason // empty: it was begun and failed
	Code   fault.Kind  // of the error, if programs act on it
	Target string
	text   string
}

func (e *DatasetError) Error() string { return e.text }

// Each returns one error, a *DatasetError, for each dataset that failed, and
// one for all those that wait for the same one.
func (e *DatasetsError) Each() []error {
	rows := map[string]*progress.Dataset{}
	for i := range e.Failed {
		rows[e.Failed[i].Target] = &e.Failed[i]
	}
	waiting := map[string][]string{} // for a target or, where that has no row, for what they say
	reasons := map[string]string{}
	var heads []string
	for _, d := range e.Failed {
		if head, ok := waitsFor(d, rows); ok {
			if waiting[head] == nil {
				heads = append(heads, head)
			}
			waiting[head] = append(waiting[head], nameOf(d))
			reasons[head] = d.Reason
		}
	}
	var all []error
	for _, d := range e.Failed {
		if _, ok := waitsFor(d, rows); !ok {
			all = append(all, datasetError(d))
		}
		if names := waiting[d.Target]; d.Target != "" && names != nil {
			all = append(all, &DatasetError{Reason: plan.ParentFailed, Target: d.Target,
				text: fmt.Sprintf("cannot replicate %s: %s above failed", list(names), quote(d.Target))})
			delete(waiting, d.Target)
		}
	}
	for _, head := range heads {
		if names := waiting[head]; names != nil {
			all = append(all, &DatasetError{Reason: plan.Reason(reasons[head]), text: fmt.Sprintf("cannot replicate %s: %s: %s", list(names), reasons[head], head)})
		}
	}
	if len(all) == 0 { // a run that left something undone never ends without an error
		all = append(all, e)
	}
	return firstErrors(all)
}

// maxErrors is how many datasets that were not replicated a run names. A person
// is to read each, and the other host may list a million.
const maxErrors = 1000

// firstErrors leaves of many errors maxErrors, of as many kinds as there are,
// and one that counts the rest.
func firstErrors(all []error) []error {
	if len(all) <= maxErrors {
		return all
	}
	type kind struct {
		reason plan.Reason
		code   fault.Kind
	}
	seen, take := map[kind]bool{}, map[int]bool{}
	for i, err := range all {
		d, _ := err.(*DatasetError)
		if d == nil || len(take) == maxErrors {
			continue
		}
		if k := (kind{d.Reason, d.Code}); !seen[k] {
			seen[k], take[i] = true, true
		}
	}
	var some []error
	for i, err := range all {
		if take[i] || len(take) < maxErrors {
			take[i] = true
			some = append(some, err)
		}
	}
	return append(some, &DatasetError{text: fmt.Sprintf("and %d more datasets were not replicated: zreplctl status -v shows them", len(all)-len(some))})
}

// waitsFor returns the topmost failed target for which d waits or, without
// one, the reason that it shares with others.
func waitsFor(d progress.Dataset, rows map[string]*progress.Dataset) (head string, ok bool) {
	if d.Reason == string(plan.NoPool) { // which all datasets of the pool say
		return d.Error, true
	}
	if d.Reason != string(plan.ParentFailed) {
		return "", false
	}
	for p := dataset.Parent(d.Target); p != ""; p = dataset.Parent(p) {
		if above := rows[p]; above != nil && above.Reason != string(plan.ParentFailed) {
			return p, true
		}
	}
	for p := dataset.Parent(d.Target); p != ""; p = dataset.Parent(p) {
		if above := rows[p]; above != nil {
			d = *above
		}
	}
	return d.Error, true
}

func datasetError(d progress.Dataset) error {
	text := d.Error
	if d.Reason != "" {
		text = d.Reason + ": " + text
	}
	what := quote(nameOf(d))
	if d.Source != "" && d.Target != "" {
		what += " to " + quote(d.Target)
	}
	return &DatasetError{Reason: plan.Reason(d.Reason), Code: fault.Parse(d.Code), Target: d.Target,
		text: fmt.Sprintf("cannot replicate %s: %s", what, text)}
}

// quote is for names that are legal, or cleaned: they have no quotes in them
// that would have to be escaped, and escapes that must stay as they are.
func quote(name string) string { return `"` + name + `"` }

func nameOf(d progress.Dataset) string {
	if d.Source != "" {
		return d.Source
	}
	return d.Target
}

// maxListed is how long a list of names in an error gets, in bytes.
const maxListed = 8 << 10

// list writes names for an error; status shows all.
func list(names []string) string {
	var b strings.Builder
	for i, name := range names {
		if b.Len() > maxListed {
			fmt.Fprintf(&b, " and %d more, see zreplctl status", len(names)-i)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(quote(name))
	}
	return b.String()
}
