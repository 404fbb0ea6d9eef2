package zfs

import "os"

// FitArgs returns how many of names, from the first, fit into one command
// beside some short options and what is given as others: as many as the
// system takes, and at least one unless there are none.
func FitArgs(names []string, others ...string) int {
	const pointer, slack = 8, 16 << 10
	left := argMax() - slack
	for _, e := range append(os.Environ(), others...) {
		left -= len(e) + 1 + pointer
	}
	for i, name := range names {
		left -= len(name) + 1 + pointer
		if left < 0 && i > 0 {
			return i
		}
	}
	return len(names)
}
