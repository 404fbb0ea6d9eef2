package property

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Record is what a receiver notes at a copy about the properties it took:
// which of the copy's settings are its own, and what it dealt with last.
type Record struct {
	// Told is the sum of what the sender told and of the rules when all of it
	// was last dealt with; empty: something is left to do.
	Told string
	// Set maps each property that the receiver set to the sum of the value.
	Set map[string]string
	// Left maps each property that it left as somebody set it at the copy to
	// the sum of the value that the sender told.
	Left map[string]string
}

// sumDigits are enough to tell values apart: nothing is trusted for its sum.
const sumDigits = 12

// Sum is a short sum of some text.
func Sum(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return hex.EncodeToString(h.Sum(nil))[:sumDigits]
}

// SumOf is the sum of what a sender tells of a dataset.
func SumOf(told map[string]string, untold []string) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(told)) {
		parts = append(parts, name, told[name])
	}
	return Sum(append(append(parts, ""), slices.Sorted(slices.Values(untold))...)...)
}

// Sum is the sum of rules and of what they give way to.
func (r Rules) Sum(override map[string]string) string {
	return Sum(Sum(r.Take...), Sum(r.Exclude...), Sum(slices.Sorted(maps.Keys(override))...))
}

// maxRecord is what ZFS takes as the value of a user property.
const maxRecord = MaxValue - 1

// String writes a record; ParseRecord reads it.
func (r Record) String() string {
	told := r.Told
	if told == "" {
		told = "-"
	}
	var b strings.Builder
	b.WriteString(told)
	for _, name := range slices.Sorted(maps.Keys(r.Set)) {
		b.WriteString(" " + name + "=" + r.Set[name])
	}
	for _, name := range slices.Sorted(maps.Keys(r.Left)) {
		b.WriteString(" " + name + "=~" + r.Left[name])
	}
	return b.String()
}

// Fits reports whether the record is short enough for ZFS.
func (r Record) Fits() bool { return len(r.String()) <= maxRecord }

// Empty reports whether there is nothing to note.
func (r Record) Empty() bool { return len(r.Set)+len(r.Left) == 0 }

// ParseRecord reads what String wrote. What it cannot read is passed over: the
// property is then somebody else's.
func ParseRecord(text string) Record {
	r := Record{Set: map[string]string{}, Left: map[string]string{}}
	for i, word := range strings.Fields(text) {
		name, sum, entry := strings.Cut(word, "=")
		sum, left := strings.CutPrefix(sum, "~")
		switch {
		case i == 0 && !entry:
			if r.Told = word; word == "-" {
				r.Told = ""
			}
		case !entry || Check(name) != nil:
		case left:
			r.Left[name] = sum
		default:
			r.Set[name] = sum
		}
	}
	return r
}
