package replicate

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/plan"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// TestManyHeld: a list in which everything is held or marked costs as many
// looks as it has entries, and not the square of that.
func TestManyHeld(t *testing.T) {
	const many = 100_000
	d := transfer.Dataset{Name: "a"}
	for i := range many {
		v := dataset.Version{Kind: dataset.Snapshot, Name: fmt.Sprintf("s%06d", i), GUID: dataset.GUID(i + 1), CreateTXG: uint64(i + 1)}
		d.Held.Add(fmt.Sprintf("t%06d", i))
		if i%2 == 1 {
			v.Kind = dataset.Bookmark
			d.Marks.Add(v.Name)
		}
		d.Versions = append(d.Versions, v)
	}
	target := transfer.Dataset{Name: "b", Versions: d.Versions, Held: transfer.Names("s000000")}
	r := &round{Job: &Job{}, view: &view{sources: map[string]transfer.Dataset{"a": d}, targets: map[string]transfer.Dataset{"b": target}}}
	r.results = []plan.Result{{Source: "a", Target: "b"}}
	begin := cpu()
	held := 0
	for _, v := range d.Versions {
		if holds(d, v) {
			held++
		}
	}
	if m := mine(d, target); len(m.Sent) != many/2 {
		t.Errorf("%d are marked", len(m.Sent))
	}
	if stale := r.staleMarks(0, d.Versions[0]); len(stale) != many/2-keptMarks+1 {
		t.Errorf("%d marks are stale", len(stale))
	}
	if took := cpu() - begin; held != 0 || took > 5*time.Second {
		t.Errorf("%d are held; it took %v", held, took)
	}
}

func cpu() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano())
}
