package retention

import (
	"cmp"
	"math"
	"slices"
)

// view is what a rule sees: the matching snapshots of one dataset.
type view struct {
	snaps  []Snapshot
	order  []int32 // the matching ones, the newest last
	byDate []int32 // the same by creation
	anchor int64
	given  *int64 // the caller's anchor
	now    int64  // 0: not known
	// arrival says that order is that of createtxg, which may contradict
	// creations.
	arrival bool
	arrived func(age int64) uint64
	space   *Space // nil: not known
	say     func(i int32, keep bool, why string)
}

func (o Options) view(snaps []Snapshot, verdicts []Verdict) view {
	v := view{snaps: snaps, given: o.Anchor, now: o.Now, arrival: o.Arrival, arrived: o.Arrived, space: o.Space}
	v.byDate = matching(snaps, o.Prefix, verdicts, Compare)
	v.order = v.byDate
	if o.Arrival && !slices.IsSortedFunc(v.byDate, v.byArrival) {
		v.order = slices.Clone(v.byDate)
		slices.SortFunc(v.order, v.byArrival)
	}
	if len(v.order) > 0 {
		v.anchor = v.begin(v.given)
	}
	return v
}

func (v view) byArrival(a, b int32) int {
	return cmp.Or(cmp.Compare(v.snaps[a].CreateTXG, v.snaps[b].CreateTXG), Compare(&v.snaps[a], &v.snaps[b]))
}

// future reports whether a snapshot claims to be created later than now.
func (v view) future(i int32) bool { return v.now != 0 && v.snaps[i].Creation > v.now }

// begin returns where grids and calendars begin: at the newest snapshot, so that a host
// that stood still loses nothing, but never at one from the future.
func (v view) begin(anchor *int64) int64 {
	if anchor != nil {
		return *anchor
	}
	if i, ok := v.latest(); ok {
		return v.snaps[i].Creation
	}
	return v.now
}

// latest returns the snapshot that was created last, without the future ones.
func (v view) latest() (int32, bool) {
	for _, i := range slices.Backward(v.byDate) {
		if !v.future(i) {
			return i, true
		}
	}
	return 0, false
}

// newest returns those that are kept whatever the rules say: the newest, and where
// the time is known the newest that are not from the future, by arrival and by
// creation.
func (v view) newest() []int32 {
	newest := []int32{v.order[len(v.order)-1]}
	i, ok := v.latest()
	if !ok || v.now == 0 {
		return newest
	}
	newest = append(newest, i)
	for _, i := range slices.Backward(v.order) {
		if !v.future(i) {
			return append(newest, i)
		}
	}
	return newest
}

// age is how long before the anchor a snapshot was created, in seconds.
func (v view) age(i int32) int64 {
	creation := v.snaps[i].Creation
	if creation < 0 && v.anchor > math.MaxInt64+creation {
		return math.MaxInt64
	}
	return v.anchor - creation
}

// contradicted returns, by index of a snapshot, whether one that arrived later
// claims to be older.
func (v view) contradicted() map[int32]bool {
	all := map[int32]bool{}
	if !v.arrival {
		return all
	}
	earliest := int64(math.MaxInt64)
	for _, i := range slices.Backward(v.order) {
		creation := v.snaps[i].Creation
		if creation > earliest {
			all[i] = true
		}
		earliest = min(earliest, creation)
	}
	return all
}

// Future returns how many matching snapshots claim to be created later than
// now, and the one that is furthest ahead.
func Future(snaps []Snapshot, prefix string, now int64) (n int, furthest *Snapshot) {
	for i := range snaps {
		s := &snaps[i]
		if s.Creation <= now || !s.matches(prefix) {
			continue
		}
		if n++; furthest == nil || Compare(furthest, s) < 0 {
			furthest = s
		}
	}
	return n, furthest
}
