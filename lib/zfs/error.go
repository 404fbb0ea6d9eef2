package zfs

import (
	"errors"
	"fmt"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/fault"
)

// Error is a zfs command that failed.
type Error struct {
	Args   []string // of the command, without the program
	Code   int      // its exit status, 128+n where signal n killed it
	Stderr string   // the end of what it said, without control characters
	Err    error    // why it could not be started or followed, if that was it

	cut bool // Stderr has not all that it said
}

// Error is one line: the first that zfs wrote.
func (e *Error) Error() string {
	verb := "zfs"
	if len(e.Args) > 0 {
		verb += " " + e.Args[0]
	}
	if said := firstLine(e.Stderr); said != "" {
		return verb + ": " + said
	}
	switch {
	case e.Err != nil:
		return fmt.Sprintf("%s: %v", verb, e.Err)
	case e.Code > 128:
		return fmt.Sprintf("%s: killed by signal %d", verb, e.Code-128)
	}
	return fmt.Sprintf("%s: exit status %d without a message", verb, e.Code)
}

// Unwrap returns the cause that is not zfs's own, such as context.Canceled.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is a kind of failure that zfs names. One command
// may name several.
func (e *Error) Is(target error) bool {
	kind, ok := target.(fault.Kind)
	return ok && containsAny(withoutNames(e.Stderr), wordings[kind])
}

// ErrorCode returns the code of the failure's kind, as kindOf finds it.
func (e *Error) ErrorCode() string { return string(kindOf(e.Stderr)) }

// NotExist reports whether err is zfs's answer that a dataset, a snapshot or
// a bookmark does not exist, or not even its pool.
func NotExist(err error) bool { return errors.Is(err, fault.Gone) || errors.Is(err, fault.NoPool) }

// NoneThere reports whether err is zfs destroy's answer that none of the
// snapshots exists, though their dataset does.
func NoneThere(err error) bool { return said(err, noneThere) }

// Missing returns the names of which a command says that they do not exist,
// where it complains of nothing else: a list of several names goes on behind
// one that is missing.
func Missing(err error) (names []string, only bool) {
	var e *Error
	if !errors.As(err, &e) || e.Err != nil || e.Code != 1 || e.Stderr == "" || e.cut {
		return nil, false
	}
	for line := range strings.SplitSeq(strings.TrimSpace(e.Stderr), "\n") {
		name, ok := missing(line)
		switch {
		case ok:
			names = append(names, name)
		case line != "no datasets available": // zfs holds adds it where none is left
			return nil, false
		}
	}
	return names, len(names) > 0
}

// missing returns the name of which a line of zfs says that it does not exist.
func missing(line string) (name string, ok bool) {
	_, rest, quoted := strings.Cut(line, "'")
	name, reason, ended := strings.Cut(rest, "'")
	gone := strings.HasSuffix(reason, "does not exist") || strings.Contains(reason, "no such pool")
	return name, quoted && ended && gone
}

func said(err error, text string) bool {
	var e *Error
	return errors.As(err, &e) && strings.Contains(e.Stderr, text)
}

func firstLine(text string) string {
	for line := range strings.SplitSeq(text, "\n") {
		if line = strings.TrimSpace(line); line != "" {
			return line
		}
	}
	return ""
}

// Present turns the failure of a listing whose only fault is that some of the
// names it was given do not exist into success: the others were listed.
func Present(err error) error {
	if _, only := Missing(err); only {
		return nil
	}
	return err
}
