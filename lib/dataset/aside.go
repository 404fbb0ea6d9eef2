package dataset

import (
	"fmt"
	"regexp"
	"strings"
	"time"
)

// A copy that cannot go on may be set aside: it gets a dated name in the same
// parent, and a new copy begins in its place. The name alone proves nothing: a
// property of the dataset does.

// AsideReasons are the conflicts for which a copy can be set aside.
var AsideReasons = []string{"diverged", "modified", "unrelated"}

// MaxAside is how many copies can be set aside under one date.
const MaxAside = 99

var asideBase = regexp.MustCompile(`^(.+)\.(diverged|modified|unrelated)-[0-9]{8}(-[0-9]{1,2})?$`)

// Aside names what is set aside: name.REASON-DATE, and from the second of a day
// on name.REASON-DATE-N. Date is YYYYMMDD.
func Aside(name, reason, date string, n int) string {
	name = fmt.Sprintf("%s.%s-%s", name, reason, date)
	if n > 1 {
		name = fmt.Sprintf("%s-%d", name, n)
	}
	return name
}

// AsideOf takes a name that Aside made apart: of is the name that it had.
func AsideOf(name string) (of string, ok bool) {
	base := name[strings.LastIndexByte(name, '/')+1:]
	if !strings.Contains(base, "ed-") { // as most: it saves time
		return "", false
	}
	m := asideBase.FindStringSubmatch(base)
	if m == nil || base == name {
		return "", false
	}
	return strings.TrimSuffix(name, base) + m[1], true
}

// AsideDate is AsideOf, with the day on which it was set aside.
func AsideDate(name string) (of string, date time.Time, ok bool) {
	if of, ok = AsideOf(name); !ok {
		return "", time.Time{}, false
	}
	_, text, _ := strings.Cut(name[len(of):], "-")
	text, _, _ = strings.Cut(text, "-")
	date, err := time.Parse("20060102", text)
	return of, date, err == nil
}

// AsideAbove are the name and those above it that Aside may have made.
func AsideAbove(name string) (all []string) {
	for ; name != ""; name = Parent(name) {
		if _, ok := AsideOf(name); ok {
			all = append(all, name)
		}
	}
	return all
}
