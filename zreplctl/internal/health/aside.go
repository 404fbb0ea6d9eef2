package health

import (
	"fmt"
	"strconv"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
)

// Aside is a copy that was set aside, which had the name Of.
type Aside struct {
	Name string `json:"name"`
	Of   string `json:"of"`
	Used uint64 `json:"used"` // bytes, with all below it
	// Since is the day, as YYYY-MM-DD; empty: its name does not say it.
	Since string `json:"since,omitempty"`
	// Whole reports that all that was seen of the new copy is there: until then this
	// one may be the only copy.
	Whole bool `json:"whole"`
}

// Do says what a person has to do about it.
func (a Aside) Do() string {
	if !a.Whole {
		return "it may be the only copy: wait until the new one is complete"
	}
	return "if nobody needs it: zfs destroy -r " + a.Name
}

// asides completes what is known of the copies that were set aside, by the datasets
// of the job as they were judged, and is a warning while there are any: a run that
// begins anew succeeds, and nobody else would look.
func (j *Job) asides(all []Aside) verdict {
	for _, a := range all {
		if _, date, ok := dataset.AsideDate(a.Name); ok {
			a.Since = date.Format("2006-01-02")
		}
		top := false
		a.Whole = true
		for _, d := range j.Datasets {
			if dataset.Within(d.Target, a.Of) {
				top = top || d.Target == a.Of
				a.Whole = a.Whole && d.Snapshot != "" && d.State != Failed
			}
		}
		a.Whole = a.Whole && top
		j.Asides = append(j.Asides, a)
	}
	if len(j.Asides) == 0 {
		return verdict{state: OK}
	}
	first, n := j.Asides[0], len(j.Asides)
	for _, a := range j.Asides {
		if !a.Whole {
			first = a
			break
		}
	}
	why := fmt.Sprintf("the copy %s was set aside as %s", strconv.Quote(first.Of), strconv.Quote(first.Name))
	if first.Since != "" {
		why += " on " + first.Since
	}
	why += fmt.Sprintf(" and takes %s: look at it; %s", amount(first.Used), first.Do())
	if n > 1 {
		why += fmt.Sprintf(" (and %d more)", n-1)
	}
	return verdict{Failed, Warning, why}
}

// amount is a number of bytes for a person.
func amount(n uint64) string {
	f, unit := float64(n), 0
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	for ; f >= 1024 && unit < len(units)-1; unit++ {
		f /= 1024
	}
	if unit == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", f, units[unit])
}
