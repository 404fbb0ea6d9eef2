package health

import (
	"math"
	"strings"
	"testing"
)

// TestBehindUnknown: a number that nobody knows is in no face.
func TestBehindUnknown(t *testing.T) {
	f := base()
	f.Datasets = append(f.Datasets, Copy{Source: "a/y", Missing: "its pool is not imported"})
	r := Judge(Input{Now: now, Daemon: Daemon{Running: true}, Jobs: []Facts{f}})
	var b strings.Builder
	if err := Metrics(&b, r, Daemon{}); err != nil {
		t.Fatal(err)
	}
	if j := r.Jobs[0]; j.Behind != nil || strings.Contains(b.String(), "behind_snapshots{") || strings.Contains(Plugin(r), "_behind'") {
		t.Errorf("%v, %s\n%s", j.Behind, Plugin(r), b.String())
	}
}

// TestBehindBytes: a sum of which a part is not known is not known, and is left
// out of every face.
func TestBehindBytes(t *testing.T) {
	known := func(n uint64) *uint64 { return &n }
	for what, c := range map[string]struct {
		each []*uint64
		want *uint64
	}{
		"two":               {[]*uint64{known(3), known(4)}, known(7)},
		"one is not known":  {[]*uint64{known(3), nil}, nil},
		"nothing is behind": {[]*uint64{known(0)}, known(0)},
		"no copies":         {nil, nil},
		"more than fits":    {[]*uint64{known(math.MaxUint64), known(1)}, nil},
	} {
		f := base()
		one := f.Datasets[0]
		f.Datasets = nil
		for _, n := range c.each {
			one.BehindBytes = n
			f.Datasets = append(f.Datasets, one)
		}
		r := Judge(Input{Now: now, Daemon: Daemon{Running: true}, Jobs: []Facts{f}})
		got := r.Jobs[0].BehindBytes
		if (got == nil) != (c.want == nil) || got != nil && *got != *c.want {
			t.Errorf("%s: %v, want %v", what, got, c.want)
		}
		var b strings.Builder
		if err := Metrics(&b, r, Daemon{}); err != nil {
			t.Fatal(err)
		}
		if shown := strings.Contains(b.String(), "zreplctl_job_behind_bytes{"); shown != (c.want != nil) {
			t.Errorf("%s: metrics: %s", what, b.String())
		}
		if shown := strings.Contains(Plugin(r), "'j_behind_bytes'="); shown != (c.want != nil) {
			t.Errorf("%s: monitor: %s", what, Plugin(r))
		}
	}
}
