// Package property knows the properties of datasets that a receiver may take
// from a sender, and those that keep a copy inert.
//
// It promises that zfs(8) takes a name it accepts for nothing else: it accepts
// a native property only if that is in the table here, and only under its full
// name, never under an alias such as rdonly. It runs nothing.
package property

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// A native is a property of ZFS that can be taken.
type native struct {
	// fixed says that zfs inherit refuses it: this value clears it.
	fixed string
	// early reports whether every supported zfs receive -o accepts a value. One
	// that it does not accept would fail the whole stream.
	early func(value string) bool
}

func one(values ...string) func(string) bool {
	return func(v string) bool { return slices.Contains(values, v) }
}

func never(string) bool { return false }

// natives are the properties that can be taken. Those that are not here stay
// as the receiver has them.
var natives = map[string]native{
	"aclinherit":           {early: one("discard", "noallow", "restricted", "passthrough", "passthrough-x")},
	"aclmode":              {early: never},
	"acltype":              {early: never},
	"atime":                {early: one("on", "off")},
	"checksum":             {early: one("on", "fletcher4", "sha256")},
	"compression":          {early: compression},
	"copies":               {early: one("1", "2", "3")},
	"dedup":                {early: one("on", "off", "verify", "sha256")},
	"direct":               {early: never},
	"dnodesize":            {early: one("legacy", "auto", "1k", "2k", "4k", "8k", "16k")},
	"filesystem_limit":     {fixed: "none", early: never},
	"logbias":              {early: one("latency", "throughput")},
	"nbmand":               {early: never},
	"overlay":              {early: never},
	"prefetch":             {early: never},
	"primarycache":         {early: one("all", "none", "metadata")},
	"quota":                {fixed: "none", early: never},
	"recordsize":           {early: one("512", "1024", "2048", "4096", "8192", "16384", "32768", "65536", "131072")},
	"redundant_metadata":   {early: one("all", "most")},
	"refquota":             {fixed: "none", early: never},
	"refreservation":       {fixed: "none", early: never},
	"relatime":             {early: one("on", "off")},
	"reservation":          {fixed: "none", early: never},
	"secondarycache":       {early: one("all", "none", "metadata")},
	"snapdir":              {early: never},
	"snapshot_limit":       {fixed: "none", early: never},
	"special_small_blocks": {early: never},
	"sync":                 {early: never},
	"vscan":                {early: never},
	"xattr":                {early: one("on", "off", "sa")},
}

func compression(v string) bool {
	for _, family := range []struct{ prefix, levels string }{
		{"gzip-", "1 2 3 4 5 6 7 8 9"},
		{"zstd-fast-", "1 2 3 4 5 6 7 8 9 10 20 30 40 50 60 70 80 90 100 500 1000"},
		{"zstd-", "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19"},
	} {
		if level, ok := strings.CutPrefix(v, family.prefix); ok && slices.Contains(strings.Fields(family.levels), level) {
			return true
		}
	}
	return one("on", "off", "lzjb", "gzip", "zle", "lz4", "zstd", "zstd-fast")(v)
}

// Safe are the properties that the word safe stands for: none of them decides
// where data appears, who may use it, how much space it may take or how safe
// writes are.
var Safe = []string{"atime", "compression", "dnodesize", "logbias", "primarycache", "recordsize", "relatime", "secondarycache", "xattr"}

// kept are the properties that no configuration can take, and why.
var kept = map[string]string{
	"canmount":    inertly,
	"devices":     inertly,
	"exec":        inertly,
	"mountpoint":  inertly,
	"readonly":    inertly,
	"setuid":      inertly,
	"sharenfs":    inertly,
	"sharesmb":    inertly,
	"snapdev":     inertly,
	"volmode":     inertly,
	"jailed":      "it would give the copy to a jail",
	"zoned":       "it would give the copy to a container",
	"encryption":  keys,
	"keyformat":   keys,
	"keylocation": keys,
	"pbkdf2iters": keys,
}

const (
	inertly = "it keeps a copy inert"
	keys    = "the stream and the parent decide on encryption"
)

// Prefix begins the names of zreplctl's own properties.
const Prefix = "zreplctl:"

// MaxName is the longest name of a property, in bytes.
const MaxName = 255

// IsUser reports whether name is a legal name of a user property
// (zfsprops(7)).
func IsUser(name string) bool {
	return strings.Contains(name, ":") && IsName(name)
}

// IsName reports whether name can be that of a property, one of ZFS or one of
// a user.
func IsName(name string) bool {
	return name != "" && len(name) <= MaxName && name[0] != '-' && strings.IndexFunc(name, func(r rune) bool { return !inName(r) }) < 0
}

// inName reports whether a name of a property may hold r.
func inName(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || strings.ContainsRune(":+._-", r)
}

// Check says why a property of this name is never taken, or nil.
func Check(name string) error {
	if why, is := kept[name]; is {
		return fmt.Errorf("property %q is never taken: %s", name, why)
	}
	if strings.HasPrefix(name, Prefix) {
		return fmt.Errorf("property %q is never taken: it belongs to zreplctl", name)
	}
	if _, ok := natives[name]; !ok && !IsUser(name) {
		return fmt.Errorf("%q is not a property that can be taken", name)
	}
	return nil
}

// Early reports whether zfs receive -o can be given this property: with a
// value that it refuses it would not receive anything.
func Early(name, value string) bool {
	n, ok := natives[name]
	return !ok || n.early(value)
}

// Cleared is the value that clears a property that zfs inherit refuses to
// clear.
func Cleared(name string) (value string, fixed bool) {
	n := natives[name]
	return n.fixed, n.fixed != ""
}

// Settable is the value to set for what zfs get -p shows: of a limit that
// does not exist it shows 0, which zfs set refuses.
func Settable(name, shown string) string {
	if n := natives[name]; n.fixed != "" && (shown == "0" || shown == "18446744073709551615") {
		return n.fixed
	}
	return shown
}

// The limits of what one dataset may tell.
const (
	MaxCount = 256
	MaxValue = 8 << 10  // bytes, as in ZFS
	MaxTotal = 32 << 10 // bytes of all names and values
)

// CheckValue says why a value cannot be passed on, or nil.
func CheckValue(value string) error {
	switch {
	case len(value) >= MaxValue:
		return fmt.Errorf("a value of more than %d bytes", MaxValue-1)
	case strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 }):
		return fmt.Errorf("a value with control characters")
	case !utf8.ValidString(value):
		return fmt.Errorf("a value that is not UTF-8")
	}
	return nil
}

// CheckTold says what is wrong with the properties that a peer tells of a
// dataset, or nil.
func CheckTold(told map[string]string) error {
	if len(told) > MaxCount {
		return fmt.Errorf("%d properties: at most %d are taken", len(told), MaxCount)
	}
	total := 0
	for name, value := range told {
		total += len(name) + len(value)
		if err := CheckValue(value); err != nil {
			return fmt.Errorf("property %q: %w", name, err)
		}
	}
	if total > MaxTotal {
		return fmt.Errorf("properties of %d bytes: at most %d are taken", total, MaxTotal)
	}
	return nil
}
