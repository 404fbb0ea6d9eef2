package observe

import (
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/progress"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
)

// TestLacking: what is measured is what lies between the base and the newest
// snapshot that is sent, also by other names. Nothing is claimed if the base is
// a bookmark or a part is not known.
func TestLacking(t *testing.T) {
	of := &history{}
	for txg, name := range []string{"s0", "s1", "other", "s2", "later"} {
		of.add(dataset.Version{Kind: dataset.Snapshot, Name: name, GUID: dataset.GUID(txg + 1), CreateTXG: uint64(txg + 1)})
	}
	of.add(dataset.Version{Kind: dataset.Bookmark, Name: "b", GUID: 9, CreateTXG: 2})
	sortVersions(of.all)
	at := func(name string) *version {
		for _, v := range of.all {
			if of.name(v) == name {
				return &v
			}
		}
		return nil
	}
	known := map[string]made{"p/a@s1": {2, 1, 20}, "p/a@other": {3, 1, 300}, "p/a@s2": {4, 1, 4000}, "p/a@later": {5, 1, 50000}}
	for what, c := range map[string]struct {
		common *version
		behind int
		change func(f *found, made map[string]made)
		want   uint64
	}{
		"two behind":           {at("s0"), 2, nil, 4320},
		"one behind":           {at("s1"), 1, nil, 4300},
		"nothing behind":       {at("s2"), 0, nil, 0},
		"no copy":              {nil, 0, nil, unknown},
		"from a bookmark":      {at("b"), 1, nil, unknown},
		"not proved":           {at("s1"), 1, func(f *found, _ map[string]made) { f.Unproved = true }, unknown},
		"another by that name": {at("s1"), 1, func(_ *found, m map[string]made) { m["p/a@s2"] = made{44, 1, 1} }, unknown},
		"one is not told":      {at("s1"), 1, func(_ *found, m map[string]made) { delete(m, "p/a@other") }, unknown},
		"one has no number":    {at("s1"), 1, func(_ *found, m map[string]made) { m["p/a@other"] = made{3, 1, unknown} }, unknown},
	} {
		h := &host{datasets: map[string]*history{"p/a": of}, made: map[string]made{}}
		for name, m := range known {
			h.made[name] = m
		}
		f := found{dataset: "p/a", common: c.common}
		f.Behind = &c.behind
		if c.change != nil {
			c.change(&f, h.made)
		}
		l := &looked{job: &config.Job{Type: config.Source, SnapshotPrefix: "s"}, host: h, found: []found{f}}
		l.findLacking()
		l.measure(&l.found[0])
		switch got := l.found[0].BehindBytes; {
		case got == nil && c.want != unknown:
			t.Errorf("%s: it is not known, want %d", what, c.want)
		case got != nil && *got != c.want:
			t.Errorf("%s: %d, want %d", what, *got, c.want)
		}
	}
}

// TestLackingBound: a client that never comes does not make a look long.
func TestLackingBound(t *testing.T) {
	h := &host{datasets: map[string]*history{}}
	l := &looked{job: &config.Job{Type: config.Source}, host: h}
	for _, ds := range []string{"p/a", "p/b"} {
		of := &history{}
		for i := range maxLacking * 2 / 3 {
			of.add(dataset.Version{Kind: dataset.Snapshot, Name: "s", GUID: 1, CreateTXG: uint64(i + 1)})
		}
		h.datasets[ds] = of
		f := found{dataset: ds, common: &of.all[0]}
		f.Behind = new(len(of.all) - 1)
		l.found = append(l.found, f)
	}
	l.findLacking()
	if a, b := len(l.found[0].lacking), len(l.found[1].lacking); a != maxLacking*2/3-1 || b != 0 {
		t.Errorf("%d and %d are measured", a, b)
	}
}

// TestLeft: a receiver says what its last run had still to receive, or nothing.
func TestLeft(t *testing.T) {
	for what, c := range map[string]struct {
		row  progress.Dataset
		want uint64
	}{
		"up to date":      {progress.Dataset{}, 0},
		"newer since":     {progress.Dataset{Behind: 1, Size: 100, Bytes: 30, State: progress.Done}, 70},
		"cut":             {progress.Dataset{Behind: 1, Size: 100, Bytes: 30, State: progress.Failed}, 100},
		"cut later":       {progress.Dataset{Behind: 1, Size: 100, Bytes: 30, Done: 1, Steps: 2, State: progress.Failed}, unknown},
		"no size":         {progress.Dataset{Behind: 1, Bytes: 30}, unknown},
		"more than meant": {progress.Dataset{Behind: 1, Size: 10, Bytes: 30}, unknown},
	} {
		switch got := left(c.row); {
		case got == nil && c.want != unknown, got != nil && *got != c.want:
			t.Errorf("%s: %v, want %d", what, got, c.want)
		}
	}
}

// TestBefore: of two snapshots of one transaction group the first is before the
// second, so that what was written in the second is asked for again once the
// first is gone.
func TestBefore(t *testing.T) {
	first, second := dataset.Version{Kind: dataset.Snapshot, Name: "b", GUID: 2, CreateTXG: 7}, dataset.Version{Kind: dataset.Snapshot, Name: "c", GUID: 3, CreateTXG: 7}
	h := &history{}
	for _, v := range []dataset.Version{{Kind: dataset.Snapshot, Name: "a", GUID: 1, CreateTXG: 5}, {Kind: dataset.Bookmark, Name: "m", GUID: 1, CreateTXG: 5}, first, second} {
		h.add(v)
	}
	sortVersions(h.all)
	noted := date{guid: 3, txg: 7, before: 7}
	if !h.contains(dataset.Snapshot, "c", noted) || h.contains(dataset.Snapshot, "b", noted) || h.contains(dataset.Snapshot, "c", date{guid: 4, txg: 7}) {
		t.Error("the second")
	}
	if !h.contains(dataset.Snapshot, "b", date{guid: 2, txg: 7, before: 5}) || !h.contains(dataset.Snapshot, "a", date{guid: 1, txg: 5}) {
		t.Error("the others")
	}
	h.all = h.all[:2]
	h.add(second)
	if h.contains(dataset.Snapshot, h.full("x", h.all[2])[2:], noted) {
		t.Error("what was written between the first and the second is taken for all of it")
	}
}
