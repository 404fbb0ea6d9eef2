package job

import (
	"fmt"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/plan"
	"github.com/zrepl-tools/zrepl-tools/lib/progress"
)

// DatasetsError says which datasets were not replicated.
type DatasetsError struct{ Failed []progress.Dataset }

// Error has a reason of at least one of them.
func (e *DatasetsError) Error() string {
	all := e.Each()
	text := fmt.Sprintf("%d datasets were not replicated", len(e.Failed))
	if len(all) > 0 {
		text += ": " + all[0].Error()
	}
	return text
}

// DatasetError says why one dataset, or several for one reason, was not
// replicated.
type DatasetError struct {
	Reason plan.Reason // empty: it was begun and failed
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
	waiting := map[string][]string{} // for a target or, where that has no row, for a reason
	var heads []string
	for _, d := range e.Failed {
		if head, ok := waitsFor(d, rows); ok {
			if waiting[head] == nil {
				heads = append(heads, head)
			}
			waiting[head] = append(waiting[head], nameOf(d))
		}
	}
	var all []error
	for _, d := range e.Failed {
		if _, ok := waitsFor(d, rows); !ok {
			all = append(all, datasetError(d))
		}
		if names := waiting[d.Target]; d.Target != "" && names != nil {
			all = append(all, &DatasetError{plan.ParentFailed, d.Target,
				fmt.Sprintf("cannot replicate %s: %s above failed", list(names), quote(d.Target))})
			delete(waiting, d.Target)
		}
	}
	for _, reason := range heads {
		if names := waiting[reason]; names != nil {
			all = append(all, &DatasetError{plan.ParentFailed, "", fmt.Sprintf("cannot replicate %s: %s: %s", list(names), plan.ParentFailed, reason)})
		}
	}
	return all
}

// waitsFor returns the topmost failed target for which d waits or, without
// one, the reason that it shares with others.
func waitsFor(d progress.Dataset, rows map[string]*progress.Dataset) (head string, ok bool) {
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
	if d.Source != "" && d.Target != "" {
		return &DatasetError{plan.Reason(d.Reason), d.Target, fmt.Sprintf("cannot replicate %s to %s: %s", quote(d.Source), quote(d.Target), text)}
	}
	return &DatasetError{plan.Reason(d.Reason), d.Target, fmt.Sprintf("cannot replicate %s: %s", quote(nameOf(d)), text)}
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
