package job

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/plan"
	"github.com/zrepl-tools/zrepl-tools/lib/progress"
)

// TestManyErrors: a source decides how many datasets fail, and not how long the
// messages of a run and its record get.
func TestManyErrors(t *testing.T) {
	const many = 50_000 // a quarter of the longest list
	rec := &Record{}
	for i := range many {
		name := fmt.Sprintf("pool/%s%d", strings.Repeat("n", 240), i)
		d := progress.Dataset{Source: name, Target: name, State: progress.Failed, Reason: string(plan.Illegal), Error: strings.Repeat("e", 2000)}
		if i == many/2 {
			d.Reason = string(plan.Diverged)
		}
		rec.Datasets = append(rec.Datasets, d)
	}
	all := (&DatasetsError{rec.Datasets}).Each()
	kinds := map[plan.Reason]int{}
	for _, err := range all[:len(all)-1] {
		kinds[err.(*DatasetError).Reason]++
	}
	if len(all) != maxErrors+1 || kinds[plan.Illegal] != maxErrors-1 || kinds[plan.Diverged] != 1 {
		t.Errorf("%d messages: %v", len(all), kinds)
	}
	if last := all[len(all)-1].Error(); !strings.Contains(last, "and 49000 more datasets were not replicated") {
		t.Errorf("the last one says %q", last)
	}
	rec.shorten()
	if text, err := json.Marshal(rec); err != nil || 4*len(text) > maxRecord {
		t.Errorf("a record of %d bytes: %v", len(text), err)
	}
	if e := rec.Datasets[0].Error; len(e) != 2000 {
		t.Errorf("the first error has %d bytes", len(e))
	}
}
