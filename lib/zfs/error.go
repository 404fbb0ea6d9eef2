package zfs

import (
	"errors"
	"fmt"
	"strings"
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

// NotExist reports whether err is zfs's answer that a dataset, a snapshot or
// a bookmark is not there.
func NotExist(err error) bool {
	return said(err, "dataset does not exist") ||
		said(err, "could not find any snapshots to destroy") ||
		said(err, "no such pool or dataset") || said(err, "no such pool '")
}

// NoneThere reports whether err is zfs destroy's answer that there is not one
// of the snapshots, though there is their dataset.
func NoneThere(err error) bool { return said(err, "could not find any snapshots to destroy") }

// InUse reports whether this is ZFS's reason not to destroy a snapshot that is
// held, is being sent, or has clones.
func InUse(reason string) bool {
	return containsAny(reason, []string{"dataset is busy", "being held", "snapshot is cloned", "snapshot has dependent clones"})
}

// Denied reports whether err is zfs's answer that its user may not do that.
func Denied(err error) bool { return said(err, "permission denied") }

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

// Exists reports whether err is zfs's answer that what was to be made is
// already there.
func Exists(err error) bool { return said(err, "dataset already exists") }

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
