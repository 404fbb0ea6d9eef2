package zfs

import (
	"errors"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/child"
	"github.com/zrepl-tools/zrepl-tools/lib/fault"
)

const noneThere = "could not find any snapshots to destroy"

// wordings are OpenZFS's messages for each kind of failure (libzfs_util.c,
// libzfs_sendrecv.c, zfs_main.c): it has no other way to tell them apart.
var wordings = map[fault.Kind][]string{
	fault.Gone:      {"dataset does not exist", noneThere},
	fault.NoPool:    {"no such pool or dataset", "no such pool '"},
	fault.Exists:    {"dataset already exists"},
	fault.NoSpace:   {"out of space", "quota exceeded"},
	fault.Busy:      {"is busy", "being held", "snapshot is cloned", "snapshot has dependent clones"},
	fault.Denied:    {"permission denied"},
	fault.NoKey:     {"key must be loaded", "key is not loaded", "key not loaded"},
	fault.DeadToken: {"resume token is corrupt", "used in the initial send", "no longer exists"},
}

// precedence is in which order kinds are looked for. What decides most comes
// first.
var precedence = []fault.Kind{fault.NoSpace, fault.DeadToken, fault.Denied, fault.NoKey, fault.Busy, fault.Exists, fault.Gone, fault.NoPool}

// kindOf returns the first kind of failure that zfs names in what it says.
func kindOf(said string) fault.Kind { return firstOf(said, precedence) }

func firstOf(said string, kinds []fault.Kind) fault.Kind {
	said = withoutNames(said)
	for _, kind := range kinds {
		if containsAny(said, wordings[kind]) {
			return kind
		}
	}
	return ""
}

// withoutNames empties what is between quotes: a dataset may be called
// "out of space", and another host may have chosen that.
func withoutNames(said string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(said, " '") // and not the quote in "root's"
		name, after, closed := strings.Cut(rest, "'")
		if !found || !closed || strings.Contains(name, "\n") {
			return b.String() + said
		}
		b.WriteString(before + " ''")
		said = after
	}
}

// ReceiveKind is the kind of failure that a zfs receive names.
func ReceiveKind(said string) fault.Kind { return kindOf(said) }

// SendKind is the kind of failure that a zfs send names. The text may come from
// another host, in a trailer. So it is only what a sender can know: nothing
// about the receiver's space or its datasets.
func SendKind(said string) fault.Kind {
	return firstOf(said, []fault.Kind{fault.DeadToken, fault.Denied, fault.NoKey})
}

// CutShort reports whether zfs receive only complains that its input ended.
func CutShort(s child.Status) bool {
	return containsAny(s.Stderr, []string{"incomplete stream", "failed to read from stream"})
}

// because is an error with zfs's reason as its text, and the kind of that.
func because(reason string) error { return fault.With(kindOf(reason), errors.New(reason)) }

func containsAny(s string, parts []string) bool {
	for _, p := range parts {
		if strings.Contains(s, p) {
			return true
		}
	}
	return false
}

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
