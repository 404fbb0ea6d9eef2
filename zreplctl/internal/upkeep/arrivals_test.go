package upkeep

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/prune"
	"github.com/zrepl-tools/zrepl-tools/lib/retention"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
)

// there makes the snapshots of a dataset, of guid and createtxg.
func there(ds string, pairs ...uint64) prune.Group {
	g := prune.Group{Dataset: ds}
	for i := 0; i < len(pairs); i += 2 {
		g.GUIDs = append(g.GUIDs, dataset.GUID(pairs[i]))
		g.Snapshots = append(g.Snapshots, retention.Snapshot{Name: fmt.Sprint(pairs[i]), CreateTXG: pairs[i+1]})
	}
	return g
}

const day = 86400

func TestArrivals(t *testing.T) {
	const name = "j.arrivals.target"
	kept := state.In(t.TempDir())
	at := int64(1_000_000_000)
	var a *arrivals
	run := func(days int64, groups ...prune.Group) {
		t.Helper()
		at += days * day
		var err error
		if a, err = readArrivals(kept, name, 14*day, at); err != nil {
			t.Fatal(err)
		}
		a.see(groups, at)
		if err := a.write(kept, name); err != nil {
			t.Fatal(err)
		}
	}
	before := func(what string, want uint64) {
		t.Helper()
		if got := a.before("p", 14*day); got != want {
			t.Errorf("%s: %d was there, want %d: %v", what, got, want, a.pools)
		}
	}
	run(0, there("p/a", 1, 100, 2, 200), there("q/a", 1, 9_000))
	before("the first run", 0)
	run(13, there("p/a", 1, 100, 2, 200, 3, 300), there("q/a", 1, 9_000))
	before("after 13 days", 0)
	run(1, there("p/a", 2, 200, 3, 300, 4, 400), there("q/a", 1, 9_000))
	before("after 14 days", 200)
	if got := a.before("q", 14*day); got != 9_000 {
		t.Errorf("the other pool: %d", got)
	}
	run(13, there("p", 4, 400), there("p/a", 3, 300, 5, 500))
	before("a fortnight after 300", 300)
	// The other disk of two that take turns: the same guids, other createtxgs.
	run(1, there("p/a", 1, 5_000, 2, 5_001, 3, 5_002))
	before("another pool", 0)
	run(14, there("p/a", 2, 5_001, 3, 5_002, 6, 5_100))
	before("the other pool, later", 5_002)
	// It is rolled back, and goes on with createtxgs that were there before.
	run(15, there("p/a", 2, 5_001, 3, 5_002, 7, 5_050))
	before("rolled back", 5_002)
	run(14, there("p/a", 3, 5_002, 7, 5_050, 8, 5_300))
	before("rolled back a fortnight ago", 5_050)
	// The clock is set back, and nothing has come before it came.
	at -= 100 * day
	run(0, there("p/a", 7, 5_050, 8, 5_300, 9, 5_400))
	before("the clock was set back", 0)
	run(14, there("p/a", 8, 5_300, 9, 5_400))
	before("the clock was set back a fortnight ago", 5_400)
	// A pool that is not there keeps its notes; a file that was cut has none.
	run(1)
	before("without the pool", 5_400)
	if err := os.WriteFile(kept.Path(name), []byte(`{"p":[{"ti`), 0o600); err != nil {
		t.Fatal(err)
	}
	run(1, there("p/a", 8, 5_300, 9, 5_400))
	before("a file that was cut", 0)
}

// TestArrivalsWrongClock: a host starts without the time, prunes, and learns the
// time: nothing that arrived within a fortnight counts as older, whether it came
// before, meanwhile or after, and what did is not kept for longer than that.
func TestArrivalsWrongClock(t *testing.T) {
	const name = "j.arrivals.target"
	kept := state.In(t.TempDir())
	run := func(at int64, want uint64, pairs ...uint64) {
		t.Helper()
		a, err := readArrivals(kept, name, 14*day, at)
		if err != nil {
			t.Fatal(err)
		}
		a.see([]prune.Group{there("p/a", pairs...)}, at)
		if err := a.write(kept, name); err != nil {
			t.Fatal(err)
		}
		if got := a.before("p", 14*day); got != want {
			t.Errorf("%d was there, want %d: %v", got, want, a.pools)
		}
	}
	const right = int64(20_000 * day)
	run(right, 0, 1, 100)
	run(right+5*day, 0, 1, 100, 2, 200)
	pairs := []uint64{1, 100, 2, 200, 3, 300}
	run(right+10*day, 0, pairs...)
	come := func() { pairs = append(pairs, uint64(len(pairs)), uint64(50*len(pairs)+100)) }
	for i := range int64(10) { // 1970
		come()
		run(i*day/24, 0, pairs...)
	}
	run(right+12*day, 0, pairs...)
	run(right+14*day, 100, pairs...)
	run(right+20*day, 200, pairs...)
	run(right+25*day, 300, pairs...)
	run(right+26*day, pairs[len(pairs)-1], pairs...)
	// Now it is the first clock that is wrong, by ten years.
	known := pairs[len(pairs)-1]
	come()
	run(right+3650*day, known, pairs...)
	first := pairs[len(pairs)-1]
	for i := range int64(28) {
		come()
		run(right+30*day+i*day/2, known, pairs...)
	}
	come()
	run(right+44*day, first+100, pairs...) // and what was there half a day ago
	run(right+45*day, first+300, pairs...)
	if a, err := readArrivals(kept, name, 14*day, right+45*day); err != nil || len(a.pools["p"]) > 40 {
		t.Errorf("%v, %v", a, err)
	}
}

// The notes say no snapshot arrived earlier than it did, hardly one much later,
// and they stay few, however often and long the job runs.
func TestArrivalsAreBounded(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	a := &arrivals{pools: map[string][]note{}, age: 14 * day}
	type arrival struct {
		txg uint64
		at  int64
	}
	var came []arrival
	now, most, late := int64(1_000_000_000), 0, int64(0)
	txg := uint64(0)
	for range 9_000 {
		now += 300 + r.Int64N(600)
		g := prune.Group{Dataset: "p/a"}
		txg += 1 + r.Uint64N(200)
		came = append(came, arrival{txg, now - r.Int64N(300)})
		for len(came) > 1 && came[0].at < now-15*day {
			came = came[1:]
		}
		for _, c := range came {
			g.GUIDs = append(g.GUIDs, dataset.GUID(c.txg*7))
			g.Snapshots = append(g.Snapshots, retention.Snapshot{CreateTXG: c.txg})
		}
		a.see([]prune.Group{g}, now)
		most = max(most, len(a.pools["p"]))
		known := a.before("p", 14*day)
		for _, c := range came {
			if c.txg <= known && c.at > now-14*day {
				t.Fatalf("%d came %d seconds ago and counts as older than a fortnight", c.txg, now-c.at)
			}
			if c.txg > known && now > 1_000_000_000+20*day {
				late = max(late, now-c.at-14*day)
			}
		}
	}
	t.Logf("at most %d notes, and a snapshot stays at most %.1f hours longer", most, float64(late)/3600)
	if most > 400 || late > day {
		t.Errorf("%d notes, %d seconds", most, late)
	}
}

func TestCreations(t *testing.T) {
	kept := state.In(t.TempDir())
	path := kept.Path("c")
	if c := readCreations(kept, "c"); c != nil || !c.stale() {
		t.Error("there are none")
	}
	g := there("p/a", 5, 50, 3, 30, 5, 40, 1<<63+5, 1)
	for i := range g.Snapshots {
		g.Snapshots[i].Creation = int64(i) - 1
	}
	if err := writeCreations(kept, "c", []prune.Group{g}); err != nil {
		t.Fatal(err)
	}
	c := readCreations(kept, "c")
	for i := range g.Snapshots {
		if at, ok := c.get(g.GUIDs[i], g.Snapshots[i].CreateTXG); !ok || at != int64(i)-1 {
			t.Errorf("%d: %d, %v", i, at, ok)
		}
	}
	if c.stale() {
		t.Error("stale, though all is known and there")
	}
	if _, ok := c.get(5, 30); ok || !c.stale() {
		t.Error("a guid with another createtxg is known")
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range text {
		bad := slices.Clone(text)
		bad[i] ^= 4
		os.WriteFile(path, bad, 0o600)
		if readCreations(kept, "c") != nil {
			t.Errorf("byte %d is wrong, and nobody sees it", i)
		}
		os.WriteFile(path, text[:i], 0o600)
		if readCreations(kept, "c") != nil {
			t.Errorf("cut at byte %d, and nobody sees it", i)
		}
	}
}
