package job

import (
	"fmt"
	"strings"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/replicate"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
)

// TestMostGone: each copy counts among those that were there when it was missed.
func TestMostGone(t *testing.T) {
	for _, c := range []struct {
		noted []int // how many copies the job had when each was missed; 0: now
		now   int
		want  string // empty: it is believed
	}{
		{nil, 4, ""},
		{[]int{0, 0}, 4, ""},
		{[]int{0, 0, 0}, 4, "3 of the job's 4"},
		{[]int{0}, 1, "1 of the job's 1"},
		{[]int{4, 4, 4}, 9, "3 of the job's 4"}, // others came since
		{[]int{4, 4}, 9, ""},
		{[]int{3, 0}, 12, ""}, // the job grew after the first
		{[]int{3, 0, 0, 0, 0, 0, 0}, 12, "7 of the job's 12"},
		{[]int{12, 3, 3}, 12, "2 of the job's 3"},
	} {
		var all []replicate.Vanished
		notes := map[string]state.Vanishing{}
		for i, n := range c.noted {
			target := fmt.Sprint("b/", i)
			all, notes[target] = append(all, replicate.Vanished{Target: target, Listed: c.now}), state.Vanishing{Listed: n}
		}
		if got := mostGone(all, notes); !strings.HasPrefix(got, c.want) || (got == "") != (c.want == "") {
			t.Errorf("%v of %d: %q", c.noted, c.now, got)
		}
	}
}
