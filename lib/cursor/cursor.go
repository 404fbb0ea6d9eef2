// Package cursor spells the names by which replication protects snapshots:
// the tags of its holds, and the bookmarks that take a hold's place.
//
// These names are on disk, and older and newer versions meet them. So every
// package asks this one, and none takes such a name apart by itself.
package cursor

import (
	"fmt"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
)

// Prefix begins every tag and every bookmark of ours.
const Prefix = "zreplctl_"

// roles are the types of the jobs that send.
var roles = []string{"source", "push", "local"}

// Tag is the tag of the holds, and the beginning of the names of the
// bookmarks, that a sender keeps for one client. Role is that of the sender's
// job: source, push or local; id the client's identity, or the job's name.
func Tag(role, id string) string { return Prefix + role + "_" + id }

// LastTag is the tag of the hold on what a job received last.
func LastTag(job string) string { return Prefix + "last_" + job }

// restore begins the tags of what restores read.
const restore = Prefix + "restore_"

// RestoreTag is the tag of the holds on the copies of a job from which a restore
// to target reads. A tag has no "/", and such a target no ":".
func RestoreTag(job, target string) string {
	return restore + job + ":" + strings.ReplaceAll(target, "/", ":")
}

// RestoreOf takes a tag that RestoreTag made apart.
func RestoreOf(tag string) (job, target string, ok bool) {
	rest, ours := strings.CutPrefix(tag, restore)
	job, target, ok = strings.Cut(rest, ":")
	return job, strings.ReplaceAll(target, ":", "/"), ours && ok
}

// BackTag is RestoreTag of a restore by the client of a job, to a target on the
// client's host: in RestoreOf that begins with "/", as no dataset of this host.
func BackTag(job, target string) string { return RestoreTag(job, "/"+target) }

// BackOf takes a tag that BackTag made for a job apart.
func BackOf(job, tag string) (target string, ok bool) {
	of, target, ok := RestoreOf(tag)
	target, back := strings.CutPrefix(target, "/")
	return target, ok && back && of == job
}

// Ours reports whether a hold's tag is one that replication puts.
func Ours(tag string) bool { return strings.HasPrefix(tag, Prefix) }

// OfSender reports whether a tag is that of some sender's cursor.
func OfSender(tag string) bool {
	for _, role := range roles {
		if strings.HasPrefix(tag, Tag(role, "")) {
			return true
		}
	}
	return false
}

// guidDigits is the length of a guid in a bookmark's name.
const guidDigits = 16

// Bookmark names the bookmark that takes a hold's place, without dataset and #.
func Bookmark(tag string, g dataset.GUID) string {
	return fmt.Sprintf("%s_%0*x", tag, guidDigits, uint64(g))
}

// Is reports whether a bookmark is one of tag's.
func Is(tag, bookmark string) bool {
	rest, ok := strings.CutPrefix(bookmark, tag+"_")
	return ok && isGUID(rest)
}

func isGUID(text string) bool {
	return len(text) == guidDigits && strings.Trim(text, "0123456789abcdef") == ""
}

// Kept names the bookmark of a version that was the base once: no cursor, but a
// version from which a receiver that was rolled back can continue. A tag has
// no colon.
func Kept(tag string, g dataset.GUID) string {
	return fmt.Sprintf("%s:%0*x", tag, guidDigits, uint64(g))
}

// IsKept reports whether a bookmark is one that Kept names for tag.
func IsKept(tag, bookmark string) bool {
	rest, ok := strings.CutPrefix(bookmark, tag+":")
	return ok && isGUID(rest)
}

// Owner returns the tag of the client whose bookmark this is, a cursor or one
// that Kept names; ok says whether it is one of these.
func Owner(bookmark string) (tag string, ok bool) {
	if tag, ok := TagOf(bookmark); ok {
		return tag, true
	}
	tag, guid, ok := strings.Cut(bookmark, ":")
	if !ok || !Ours(tag) || !isGUID(guid) {
		return "", false
	}
	return tag, true
}

// TagOf returns the tag in a bookmark's name; ok says whether the bookmark is a
// cursor.
func TagOf(bookmark string) (tag string, ok bool) {
	cut := len(bookmark) - guidDigits - 1
	if !strings.HasPrefix(bookmark, Prefix) || cut < len(Prefix) {
		return "", false
	}
	tag = bookmark[:cut]
	return tag, Is(tag, bookmark)
}
