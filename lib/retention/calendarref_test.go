package retention

import (
	"fmt"
	"time"
)

// testZones is what time itself knows.
func testZones(name string) (*time.Location, error) {
	if name == "" {
		return time.Local, nil
	}
	return time.LoadLocation(name)
}

// refLabel names the period of a kind that a time is in, as people write it.
func refLabel(kind string, seconds int64, zone *time.Location) string {
	t := time.Unix(seconds, 0).In(zone)
	switch kind {
	case "hourly":
		return t.Format("2006-01-02 15h -07:00:00")
	case "daily":
		return t.Format("2006-01-02")
	case "weekly":
		year, week := t.ISOWeek()
		return fmt.Sprint(year, "-W", week)
	case "monthly":
		return t.Format("2006-01")
	}
	return t.Format("2006")
}

// calendarKeeps says in the slowest and plainest way whether a calendar keeps
// a snapshot.
func (r refRule) calendarKeeps(s Snapshot, matching []Snapshot, anchor int64, o Options) bool {
	future := func(a Snapshot) bool { return o.Now != 0 && a.Creation > o.Now }
	if future(s) || s.Creation >= anchor {
		return true
	}
	came := func(a, b Snapshot) bool { // a before b
		return a.CreateTXG < b.CreateTXG || a.CreateTXG == b.CreateTXG && refOlder(a, b)
	}
	trusted := func(a Snapshot) bool {
		for _, b := range matching {
			if o.Arrival && came(a, b) && b.Creation < a.Creation {
				return false
			}
		}
		return true
	}
	var part []Snapshot
	sane := map[string]bool{} // by name: it can displace others
	for _, a := range matching {
		if !future(a) && a.Creation <= anchor {
			part = append(part, a)
			sane[a.Name] = trusted(a)
		}
	}
	for kind, n := range r.counts {
		mine := refLabel(kind, s.Creation, r.zone)
		first := map[string]Snapshot{} // by period: the first that can displace others
		begin := s                     // the first of mine
		displaced := false
		for _, a := range part {
			period := refLabel(kind, a.Creation, r.zone)
			if period == mine {
				displaced = displaced || sane[a.Name] && refOlder(a, s) && (!o.Arrival || a.CreateTXG <= s.CreateTXG)
				if refOlder(a, begin) {
					begin = a
				}
			}
			if old, there := first[period]; sane[a.Name] && (!there || refOlder(a, old)) {
				first[period] = a
			}
		}
		if counts, there := first[mine]; there {
			begin = counts
		}
		later := 0
		for period, a := range first {
			if period != mine && refOlder(begin, a) {
				later++
			}
		}
		if !displaced && later < n {
			return true
		}
	}
	return false
}
