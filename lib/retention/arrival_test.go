package retention

import (
	"fmt"
	"testing"
)

// A client whose snapshots are kept by a grid sends more, later, created a
// little before each of them: the good ones were there first, and stay.
func TestArrival(t *testing.T) {
	grid, err := ParseGrid("30x1d")
	if err != nil {
		t.Fatal(err)
	}
	const day = 86400
	var snaps []Snapshot
	for d := range int64(20) {
		snaps = append(snaps, Snapshot{Name: fmt.Sprint("good", d), Creation: (d + 1) * day, CreateTXG: uint64(d + 1)})
	}
	for d := range int64(20) {
		snaps = append(snaps, Snapshot{Name: fmt.Sprint("evil", d), Creation: (d+1)*day - 60, CreateTXG: uint64(d + 100)})
	}
	snaps = append(snaps, Snapshot{Name: "now", Creation: 20*day + 60, CreateTXG: 200})
	before := fmt.Sprint(snaps)
	for _, arrival := range []bool{false, true} {
		gone := 0
		for i, v := range New(grid).Apply(snaps, Options{Arrival: arrival}) {
			if v.Destroy && i < 20 {
				gone++
			}
		}
		if (gone == 0) != arrival {
			t.Errorf("arrival %v: %d good ones go", arrival, gone)
		}
	}
	if after := fmt.Sprint(snaps); after != before {
		t.Error("the snapshots were changed")
	}
}

// A snapshot taken under a clock that was ahead is not the newest for ever:
// those taken behind it stay, too, until the time has come.
func TestClockAhead(t *testing.T) {
	last, err := LastN(1)
	if err != nil {
		t.Fatal(err)
	}
	snaps := []Snapshot{
		{Name: "a", Creation: 100, CreateTXG: 1},
		{Name: "ahead", Creation: 90000, CreateTXG: 2},
		{Name: "b", Creation: 200, CreateTXG: 3},
	}
	v := New(last).Apply(snaps, Options{Arrival: true})
	if !v[0].Destroy || !v[1].Destroy || v[2].Destroy {
		t.Errorf("%+v", v)
	}
}
