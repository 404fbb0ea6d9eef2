package retention

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// units in seconds. A month has 30 days and a year 365: what a grid counts is
// lengths, not calendars.
var units = map[string]int64{
	"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400, "w": 7 * 86400, "mon": 30 * 86400, "y": 365 * 86400,
}

// Error says what is wrong with a text and where.
type Error struct {
	What   string // what was read: "grid", "duration"
	Text   string
	Offset int // of the byte that is wrong, from 0; len(Text) at its end
	Reason string
}

// Error counts the bytes from 1, as the other messages of zrepl-tools do.
func (e *Error) Error() string {
	if e.Offset >= len(e.Text) {
		return fmt.Sprintf("%s %q: at its end: %s", e.What, e.Text, e.Reason)
	}
	return fmt.Sprintf("%s %q: byte %d: %s", e.What, e.Text, e.Offset+1, e.Reason)
}

// ParseDuration reads a whole number with a unit (s, m or min, h, d, w, mon
// for 30 days, y for 365 days) as seconds.
func ParseDuration(text string) (int64, error) {
	p := &parser{what: "duration", text: text}
	d, err := p.duration()
	if err == nil && p.at < len(text) {
		err = p.errorf(p.at, "%q does not belong here", text[p.at])
	}
	return d, err
}

// parser reads a text from the left.
type parser struct {
	what, text string
	at         int
}

func (p *parser) errorf(at int, format string, args ...any) error {
	return &Error{What: p.what, Text: p.text, Offset: at, Reason: fmt.Sprintf(format, args...)}
}

func (p *parser) spaces() {
	for p.at < len(p.text) && (p.text[p.at] == ' ' || p.text[p.at] == '\t') {
		p.at++
	}
}

// take steps over word if it comes next.
func (p *parser) take(word string) bool {
	ok := strings.HasPrefix(p.text[p.at:], word)
	if ok {
		p.at += len(word)
	}
	return ok
}

// run takes the bytes for which in holds.
func (p *parser) run(in func(byte) bool) string {
	from := p.at
	for p.at < len(p.text) && in(p.text[p.at]) {
		p.at++
	}
	return p.text[from:p.at]
}

// number reads a whole number of at least 1.
func (p *parser) number(what string) (int64, error) {
	at := p.at
	digits := p.run(func(c byte) bool { return '0' <= c && c <= '9' })
	if digits == "" {
		return 0, p.errorf(at, "%s must be a whole number", what)
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	switch {
	case err != nil:
		return 0, p.errorf(at, "%s of %s is too large", what, digits)
	case n == 0:
		return 0, p.errorf(at, "%s must be at least 1", what)
	}
	return n, nil
}

func (p *parser) duration() (int64, error) {
	at := p.at
	n, err := p.number("a length")
	if err != nil {
		return 0, err
	}
	unitAt := p.at
	name := p.run(func(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' })
	unit, ok := units[name]
	switch {
	case name == "":
		return 0, p.errorf(unitAt, "a unit is missing: s, m, min, h, d, w, mon or y")
	case !ok && units[strings.ToLower(name)] > 0:
		return 0, p.errorf(unitAt, "unit %q is not known: units are in lower case", name)
	case !ok:
		return 0, p.errorf(unitAt, "unit %q is not known: s, m, min, h, d, w, mon or y", name)
	case n > math.MaxInt64/unit:
		return 0, p.errorf(at, "a length of %d%s is too large", n, name)
	}
	return n * unit, nil
}

// FormatDuration writes seconds as ParseDuration reads them, in the largest
// unit that divides it without a rest.
func FormatDuration(seconds int64) string {
	for _, unit := range []string{"y", "mon", "w", "d", "h", "m"} {
		if seconds != 0 && seconds%units[unit] == 0 {
			return strconv.FormatInt(seconds/units[unit], 10) + unit
		}
	}
	return strconv.FormatInt(seconds, 10) + "s"
}
