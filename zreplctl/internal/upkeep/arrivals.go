package upkeep

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/prune"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
)

// note says that at a time the snapshot with the largest createtxg of a pool
// was this one. What has a larger createtxg arrived later.
type note struct {
	Time int64        `json:"time"` // in seconds since 1970
	TXG  uint64       `json:"txg"`
	GUID dataset.GUID `json:"guid"`
	// Back is when a clock first said less than Time; 0: it does not. Until it is
	// known which of the two clocks is wrong, the snapshot counts as having
	// arrived then. Guess says that the note was made by the second clock: Time
	// is another note's.
	Back  int64 `json:"back,omitempty"`
	Guess bool  `json:"guess,omitempty"`
}

// settle looks whether the clock is behind a note, and decides which of the two
// was wrong: the second, as that of a host that starts without the time, if the
// clock is past the note again; the first, if it is behind for as long as is
// asked for.
func (n *note) settle(now, age int64) {
	switch {
	case n.Time <= now:
		if n.Guess {
			n.Time = now
		}
		n.Back, n.Guess = 0, false
	case n.Back == 0, n.Back > now:
		n.Back = now
	case now-n.Back >= age:
		n.Time, n.Back, n.Guess = n.Back, 0, false
	}
}

// arrivals are the notes of all pools, each pool's the oldest first.
//
// A pool is known by its snapshots: the newest note whose snapshot is there,
// with the createtxg that was noted, vouches for those before it. Notes that
// none vouches for are of another pool of the same name, or of a time that was
// rolled back, and are forgotten: everything has then just arrived.
type arrivals struct {
	pools map[string][]note
	age   int64 // the largest that is asked for
	now   int64
}

const (
	maxNotes     = 1000
	maxNotesFile = 64 << 20
	// coarse is how much longer than its age, as a fraction of it, a snapshot
	// may stay because notes were thinned out: one part of so many.
	coarse = 32
)

func readArrivals(dir state.Dir, name string, age, now int64) (*arrivals, error) {
	a := &arrivals{pools: map[string][]note{}, age: age, now: now}
	text, err := dir.Read(name, maxNotesFile)
	if errors.Is(err, fs.ErrNotExist) {
		return a, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read when snapshots arrived: %w", err)
	}
	if json.Unmarshal(text, &a.pools) != nil { // it was cut: as if there were none
		a.pools = map[string][]note{}
	}
	for pool, notes := range a.pools {
		for i := 1; i < len(notes); i++ {
			if notes[i].Time < notes[i-1].Time || notes[i].TXG <= notes[i-1].TXG {
				delete(a.pools, pool)
			}
		}
	}
	return a, nil
}

func (a *arrivals) write(dir state.Dir, name string) error {
	text, err := json.Marshal(a.pools)
	if err == nil {
		err = dir.Write(name, append(text, '\n'))
	}
	if err != nil {
		return fmt.Errorf("cannot record when snapshots arrived: %w", err)
	}
	return nil
}

// before returns the largest createtxg of a pool that is known to have been
// there age seconds ago; 0: none is.
func (a *arrivals) before(pool string, age int64) uint64 {
	txg := uint64(0)
	for _, n := range a.pools[pool] {
		if n.moment() <= a.now-age {
			txg = n.TXG
		}
	}
	return txg
}

// see takes in what is there at a time.
func (a *arrivals) see(groups []prune.Group, now int64) {
	a.now = now
	type witness struct {
		guid dataset.GUID
		txg  uint64
	}
	there := map[string]map[witness]bool{} // what was noted, by pool, and whether it is there
	newest := map[string]note{}
	for pool, notes := range a.pools {
		there[pool] = map[witness]bool{}
		for _, n := range notes {
			there[pool][witness{n.GUID, n.TXG}] = false
		}
	}
	for _, g := range groups {
		pool, _, _ := strings.Cut(g.Dataset, "/")
		noted := there[pool]
		for i := range g.Snapshots {
			w := witness{g.GUIDs[i], g.Snapshots[i].CreateTXG}
			if _, ok := noted[w]; ok {
				noted[w] = true
			}
			if w.txg > newest[pool].TXG {
				newest[pool] = note{Time: now, TXG: w.txg, GUID: w.guid}
			}
		}
	}
	for pool, n := range newest {
		notes := a.pools[pool]
		for len(notes) > 0 && !there[pool][witness{notes[len(notes)-1].GUID, notes[len(notes)-1].TXG}] {
			notes = notes[:len(notes)-1]
		}
		for i := range notes {
			notes[i].settle(now, a.age)
			if i > 0 {
				notes[i].Time = max(notes[i].Time, notes[i-1].Time)
			}
		}
		if len(notes) == 0 || n.TXG > notes[len(notes)-1].TXG {
			notes = append(notes, n.after(notes))
		}
		a.pools[pool] = a.thin(notes)
	}
}

// after is a note that follows others.
func (n note) after(notes []note) note {
	if len(notes) > 0 && notes[len(notes)-1].Time > n.Time {
		n.Time, n.Back, n.Guess = notes[len(notes)-1].Time, n.Time, true
	}
	return n
}

// moment is what the clock said that is the right one for all that is known.
func (n note) moment() int64 {
	if n.Back != 0 {
		return n.Back
	}
	return n.Time
}

// near reports whether a note hardly tells more than a later one. Those that a
// clock is behind all stay: they count again if it was wrong.
func (n note) near(later note, now int64) bool {
	if n.Guess != later.Guess || !n.Guess && n.Back+later.Back != 0 {
		return false
	}
	return later.moment()-n.moment() < (now-n.moment())/coarse
}

// thin leaves out notes that hardly tell more than those beside them, and
// those that are older than is asked for.
func (a *arrivals) thin(notes []note) []note {
	var kept []note // the newest first
	for i := len(notes) - 1; i >= 0 && len(kept) < maxNotes; i-- {
		n := notes[i]
		if len(kept) > 0 {
			last := kept[len(kept)-1]
			if a.now-last.moment() >= a.age {
				break
			}
			oldest := i == 0 || a.now-n.moment() >= a.age
			if n.near(last, a.now) && !oldest {
				continue
			}
		}
		kept = append(kept, n)
	}
	for i, j := 0, len(kept)-1; i < j; i, j = i+1, j-1 {
		kept[i], kept[j] = kept[j], kept[i]
	}
	return kept
}
