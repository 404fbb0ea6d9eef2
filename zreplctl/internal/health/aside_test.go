package health

import (
	"strings"
	"testing"
	"time"
)

// What was set aside is a warning until a person has decided, and nobody is told to
// destroy it while the new copy is not there.
func TestAsideWarns(t *testing.T) {
	const name = "b/x.unrelated-20261201"
	destroys := "if nobody needs it: zfs destroy -r " + name
	here := Dataset{Target: "b/x", Snapshot: "s1", State: OK}
	for what, c := range map[string]struct {
		datasets []Dataset
		want     string
	}{
		"complete":           {[]Dataset{here, {Target: "b/y", State: Failed}}, destroys},
		"not there":          {nil, "wait until the new one is complete"},
		"without a snapshot": {[]Dataset{{Target: "b/x", State: Never}}, "wait until"},
		"failed":             {[]Dataset{{Target: "b/x", Snapshot: "s1", State: Failed}}, "wait until"},
		"not below":          {[]Dataset{here, {Target: "b/x/n", State: Never}}, "wait until"},
		"only below":         {[]Dataset{{Target: "b/x/n", Snapshot: "s1", State: OK}}, "wait until"},
	} {
		j := Job{Datasets: c.datasets}
		v := j.asides([]Aside{{Name: name, Of: "b/x", Used: 4 << 20}})
		if v.level != Warning || !strings.Contains(v.why, `the copy "b/x" was set aside as "`+name+`" on 2026-12-01 and takes 4.0 MiB`) || !strings.Contains(v.why, c.want) {
			t.Errorf("%s: %+v", what, v)
		}
		if strings.Contains(c.want, "destroy") != j.Asides[0].Whole {
			t.Errorf("%s: %+v", what, j.Asides)
		}
	}
	now := time.Date(2026, 12, 2, 0, 0, 0, 0, time.UTC)
	r := Judge(Input{Now: now, Jobs: []Facts{{Name: "j", OK: true, Attempt: now, Success: now, Warn: time.Hour, Crit: time.Hour,
		Asides: []Aside{{Name: name, Of: "b/x"}}}}})
	if r.Level != Warning || !strings.Contains(r.Jobs[0].Why, name) {
		t.Errorf("%+v", r)
	}
}
