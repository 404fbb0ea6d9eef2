// Package endpoint is the two ends of a replication: a Sender and a Receiver
// over the ZFS of this machine, the handlers that serve them to a client, and
// clients that are the same ends over a connection.
//
// It promises that an end does nothing beyond what its job offers, whoever
// asks: it checks every name, guid and token of a request. It does not decide
// what to replicate; see packages plan and replicate. A stream never passes
// through this process: the programs get the descriptors. If both ends are
// here, the stream is passed on between them and counted, on Linux without
// entering this process's memory.
package endpoint

import (
	"errors"
	"fmt"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
)

// User properties on a receiver's datasets.
const (
	PlaceholderProperty = "zreplctl:placeholder" // on: empty, only carries others
	SendProperty        = "zreplctl:send"        // the send options of the chain
	SettingsProperty    = "zreplctl:properties"  // what was taken from the sender; see property.Record
)

// CursorTag is the tag of the holds, and the beginning of the names of the
// bookmarks, that a sender keeps for one client. Role is that of the sender's
// job: source, push or local; id the client's identity, or the job's name.
func CursorTag(role, id string) string { return "zreplctl_" + role + "_" + id }

// LastTag is the tag of the hold on what a job received last.
func LastTag(job string) string { return "zreplctl_last_" + job }

// guidDigits is the length of a guid in a bookmark's name.
const guidDigits = 16

// CursorBookmark names the bookmark that takes a hold's place.
func CursorBookmark(tag string, g dataset.GUID) string {
	return fmt.Sprintf("%s_%0*x", tag, guidDigits, uint64(g))
}

// isCursor reports whether a bookmark is one of tag's.
func isCursor(tag, bookmark string) bool {
	rest, ok := strings.CutPrefix(bookmark, tag+"_")
	return ok && len(rest) == guidDigits && strings.Trim(rest, "0123456789abcdef") == ""
}

// Filter says which datasets a job is about; *mapfilter.Rules is one.
type Filter interface {
	Pass(name string) bool
	Roots() (roots []string, everything bool)
}

var errNotOffered = errors.New("not offered here")

// allowed says the same of a dataset that is left out and of one that does
// not exist, so that a client learns nothing from the difference.
func allowed(f Filter, name string) error {
	if err := dataset.CheckName(name); err != nil {
		return fmt.Errorf("bad dataset name: %w", err)
	}
	if !f.Pass(name) {
		return fmt.Errorf("dataset %q: %w", name, errNotOffered)
	}
	return nil
}
