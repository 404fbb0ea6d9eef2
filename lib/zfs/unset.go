package zfs

import "strings"

// Unset reads what a zfs receive said that ended well (args are its own): which
// properties it could not set, as "NAME: REASON; NAME: REASON", or nothing.
// zfs receive exits with 0 then, as where its user may receive but not set
// (zfs-allow(8)). It says the same of what it was to exclude, where that does
// no harm: the stream's value is not set either.
func Unset(args []string, said string) string {
	excluded := map[string]bool{}
	for i, arg := range args[:max(0, len(args)-1)] {
		if arg == "-x" {
			excluded[args[i+1]] = true
		}
	}
	var all []string
	for line := range strings.SplitSeq(said, "\n") {
		rest, ok1 := strings.CutPrefix(line, "cannot receive ")
		name, rest, ok2 := strings.Cut(rest, " property on ")
		_, reason, ok3 := strings.Cut(rest, ": ")
		if ok1 && ok2 && ok3 && !strings.Contains(name, " ") && !excluded[name] {
			all = append(all, name+": "+strings.TrimSpace(reason))
		}
	}
	return strings.Join(all, "; ")
}
