package retention

import (
	"fmt"
	"strings"
	"time"
)

// Zones returns the zone of a name; an empty name is the local zone.
type Zones func(name string) (*time.Location, error)

// ParseCalendar reads KIND=NUMBER for some of hourly, daily, weekly, monthly
// and yearly, and zone=NAME, separated by spaces or commas. A bad one is an
// *Error.
func ParseCalendar(text string, zones Zones) (Rule, error) {
	p := &parser{what: "calendar", text: text}
	var counts Counts
	zone, zoneAt := "", 0
	seen := map[string]bool{}
	for p.separators(); p.at < len(p.text); p.separators() {
		at := p.at
		key := p.run(func(c byte) bool { return 'a' <= c && c <= 'z' })
		n := counts.kind(key)
		switch {
		case n == nil && key != "zone":
			return nil, p.errorf(at, "expected one of %s, or zone", kindNames())
		case seen[key]:
			return nil, p.errorf(at, "%s is here twice", key)
		case !p.take("="):
			return nil, p.errorf(p.at, "expected = after %s, as in daily=35", key)
		}
		seen[key] = true
		if n == nil {
			zoneAt = p.at
			if zone = p.run(func(c byte) bool { return c != ' ' && c != '\t' && c != ',' }); zone == "" {
				return nil, p.errorf(zoneAt, "the name of a zone is missing, such as Europe/Berlin")
			}
			continue
		}
		at = p.at
		var err error
		if *n, err = p.number(key); err != nil {
			return nil, err
		}
		if *n > maxPeriods {
			return nil, p.errorf(at, "%s must be at most %d", key, maxPeriods)
		}
		if p.at < len(p.text) && !strings.ContainsRune(" \t,", rune(p.text[p.at])) {
			return nil, p.errorf(p.at, "%q does not belong here", p.text[p.at])
		}
	}
	if counts == (Counts{}) {
		return nil, p.errorf(len(p.text), "no periods: at least one of %s is needed", kindNames())
	}
	in, err := zones(zone)
	if err != nil {
		return nil, p.errorf(zoneAt, "%v", err)
	}
	return Calendar(counts, in)
}

// separators steps over spaces and commas.
func (p *parser) separators() {
	p.run(func(c byte) bool { return c == ' ' || c == '\t' || c == ',' })
}

// kind returns the count of a kind, nil if there is no such.
func (c *Counts) kind(name string) *int64 {
	for _, kind := range kinds {
		if kind.name == name {
			return kind.of(c)
		}
	}
	return nil
}

// zoneName is how ParseCalendar and FromYAML name the zone; "": the local one.
func (c *calendar) zoneName() string {
	if c.zone == time.Local {
		return ""
	}
	return c.zone.String()
}

func (c *calendar) String() string {
	text := "calendar"
	for _, kind := range kinds {
		if n := *kind.of(&c.counts); n > 0 {
			text += fmt.Sprintf(" %s=%d", kind.name, n)
		}
	}
	if zone := c.zoneName(); zone != "" {
		text += " zone=" + zone
	}
	return text
}
