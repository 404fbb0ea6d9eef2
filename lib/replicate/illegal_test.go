package replicate

import (
	"fmt"
	"strings"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// TestOutlaws: what a receiver says of where datasets go, and of what it has,
// costs no more than the datasets that it lies about.
func TestOutlaws(t *testing.T) {
	v := &view{sources: map[string]transfer.Dataset{}, targets: map[string]transfer.Dataset{}, outside: map[string]bool{}}
	v.receivers([]transfer.Dataset{{Name: "b/fine"}, {Name: "b/\x1b[2J"}, {Name: "b/twice", Illegal: "it is listed twice"}})
	from := v.lawful([]transfer.Dataset{{Name: "a/fine"}, {Name: "a/one"}, {Name: "a/two"}, {Name: "a/three"}, {Name: "a/bad"}, {Name: "a/twice"},
		{Name: "a/not"}, {Name: "a@snap"}, {Name: strings.Repeat("a", 9000)}})
	targets := map[string]string{"a/fine": "b/fine", "a/one": "b/same", "a/two": "b/same", "a/three": "b/same", "a/bad": "b/x\u202e", "a/twice": "b/twice", "not/asked": "b/fine"}
	v.judgeTargets(from, targets)
	v.pair(from, targets)
	var planned, others, outlaws []string
	for _, in := range v.inputs {
		planned = append(planned, in.Source+" "+in.Illegal)
	}
	for _, d := range v.others {
		others = append(others, d.Name)
	}
	for _, r := range v.outlaws.all() {
		if len(r.Source) > 300 {
			r.Source = "long"
		}
		outlaws = append(outlaws, r.Source+r.Target)
	}
	want := "[a/fine  a/twice the receiver's list cannot be true: it is listed twice] [a/not] " +
		"[b/\\x1b[2J a@snap " + strings.Repeat("a", 297) + "... a/one a/two a/three a/bad]"
	if got := fmt.Sprint(planned, others, outlaws); got != want {
		t.Errorf("%s\nnot %s", got, want)
	}
	for i := range 100 {
		v.outlaws.add(fmt.Sprint("x@", i), "", "it cannot be")
	}
	if all := v.outlaws.all(); len(all) != maxIllegal+1 || all[maxIllegal].Source != "(87 more)" {
		t.Errorf("%d, the last is %q", len(all), all[len(all)-1].Source)
	}
}

// A source whose target would be what was set aside has no place in a plan.
func TestIllegalAside(t *testing.T) {
	v := &view{targets: map[string]transfer.Dataset{}, outside: map[string]bool{}, asides: map[string]string{}}
	v.receivers([]transfer.Dataset{{Name: "b/x.diverged-20261201", Aside: "b/x"}, {Name: "b/x"}})
	targets := map[string]string{"a/x": "b/x", "a/x.diverged-20261201": "b/x.diverged-20261201", "a/x.diverged-20261201/n": "b/x.diverged-20261201/n"}
	var from []transfer.Dataset
	for name := range targets {
		from = append(from, transfer.Dataset{Name: name})
	}
	v.judgeTargets(from, targets)
	if all := v.outlaws.all(); len(targets) != 1 || targets["a/x"] == "" || len(all) != 2 || !strings.Contains(all[0].Conflict.Text, "was set aside") {
		t.Errorf("%v %+v", targets, all)
	}
}
