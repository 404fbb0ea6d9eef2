package prune

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/retention"
)

func groupOf(n int) *Group {
	g := &Group{Dataset: "a"}
	for i := range n {
		g.Snapshots = append(g.Snapshots, retention.Snapshot{Name: fmt.Sprint("s", i), CreateTXG: uint64(i + 1)})
		g.GUIDs = append(g.GUIDs, dataset.GUID(i+1))
	}
	return g
}

// TestManyChains: a client that begins the same chain again and again, or a
// great many, does not make pruning slow.
func TestManyChains(t *testing.T) {
	const many = 50_000
	g := groupOf(many)
	var chains []Chain
	for i := range many - 1 {
		chains = append(chains, Chain{From: 1, To: many}, Chain{From: dataset.GUID(i + 1), To: many})
	}
	begin := time.Now()
	open := g.pending(chains)
	if len(open) != many-1 {
		t.Errorf("%d chains, of %d that differ", len(open), many)
	}
	var spans []span
	for _, c := range open {
		spans = append(spans, c.span(g.Snapshots[c.from].CreateTXG))
	}
	g.spare(spans)
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
	if g.Snapshots[0].Protected || !g.Snapshots[1].Protected || g.Snapshots[many-1].Protected {
		t.Error("what lies between is not what is protected")
	}
}

// TestSpare compares it with looking at each snapshot and each span.
func TestSpare(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 7))
		g := groupOf(20)
		rng.Shuffle(len(g.Snapshots), func(i, j int) { g.Snapshots[i], g.Snapshots[j] = g.Snapshots[j], g.Snapshots[i] })
		var spans []span
		for range rng.IntN(4) {
			spans = append(spans, span{rng.Uint64N(22), rng.Uint64N(22)})
		}
		want := map[string]bool{}
		for _, s := range g.Snapshots {
			for _, p := range spans {
				want[s.Name] = want[s.Name] || s.CreateTXG > p.first && s.CreateTXG < p.last
			}
		}
		g.spare(spans)
		for _, s := range g.Snapshots {
			if s.Protected != want[s.Name] {
				t.Errorf("seed %d: %s is protected: %v, in %v", seed, s.Name, s.Protected, spans)
			}
		}
	}
}
