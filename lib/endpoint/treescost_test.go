package endpoint

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// TestManyGroups: one request of 5,000 invented names, spread over 10,000
// datasets, costs about as much as it is long.
func TestManyGroups(t *testing.T) {
	var names []string
	for i := range 10_000 {
		names = append(names, fmt.Sprintf("tank/data/d%d/x%d", i/100, i))
	}
	var list []transfer.Snap
	for i := range 5_000 {
		for _, at := range []int{0, 3000, 6000, 9999} {
			list = append(list, transfer.Snap{Dataset: names[at], Name: fmt.Sprint("s", i), GUID: 1})
		}
	}
	begin := cpu()
	big := bigGroups([][]transfer.Snap{list})
	if len(big) != maxGroups {
		t.Errorf("%d groups are looked at", len(big))
	}
	g := &ground{}
	g.learn(names)
	g.guids = map[string]dataset.GUID{}
	_, groups := grouped(list)
	all := make([][]transfer.Snap, 0, len(groups))
	tops := make([]string, 0, len(groups))
	for _, group := range groups { // also without the limit
		all, tops = append(all, group), append(tops, lowestAbove(group))
	}
	if asked := g.askAbout(all, tops); len(asked) != len(list) {
		t.Errorf("%d snapshots are looked for", len(asked))
	}
	if trees, rest := g.trees(list); len(trees) != 0 || len(rest) != len(list) {
		t.Errorf("%d trees, %d others", len(trees), len(rest))
	}
	if took := cpu() - begin; took > 3*time.Second {
		t.Errorf("it took %v of processor time", took)
	}
}

// TestBigGroupsFirst: beyond the limit on groups, the largest are looked at.
func TestBigGroupsFirst(t *testing.T) {
	var list []transfer.Snap
	for i := range maxGroups + 10 {
		for n := range minTree + i%2 {
			list = append(list, transfer.Snap{Dataset: fmt.Sprintf("p/%d", n), Name: fmt.Sprint(i)})
		}
	}
	if big := bigGroups([][]transfer.Snap{list}); len(big) != maxGroups || len(big[0]) != minTree+1 || len(big[(maxGroups+10)/2]) != minTree {
		t.Error(len(big))
	}
}

func cpu() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano())
}
