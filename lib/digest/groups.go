package digest

import "encoding/binary"

// Objects are put into groups, so that two ends find those that differ without
// telling each other the digest of every one. Objects with near numbers are in
// one group.
const (
	GroupCount = 1024
	perGroup   = 32 // numbers in a row
	groupSize  = 8  // bytes of a group's sum
)

// GroupsSize is how many bytes the sums of all groups take.
const GroupsSize = GroupCount * groupSize

// Groups are the sums of all groups. A sum is good for finding what differs by
// accident: it proves nothing, as only the digest does.
type Groups [GroupCount]uint64

// GroupOf is the group of an object.
func GroupOf(number uint64) int { return int(number / perGroup % GroupCount) }

// Add adds an object to its group.
func (g *Groups) Add(o Object) { g[GroupOf(o.Number)] ^= binary.LittleEndian.Uint64(o.Sum[:]) }

// Bytes are the sums, little-endian.
func (g *Groups) Bytes() []byte {
	b := make([]byte, 0, GroupsSize)
	for _, sum := range g {
		b = binary.LittleEndian.AppendUint64(b, sum)
	}
	return b
}

// DifferentGroups returns the groups that two texts of GroupsSize bytes have
// differently, at most so many.
func DifferentGroups(a, b []byte, most int) (groups []int) {
	if len(a) != GroupsSize || len(b) != GroupsSize {
		return nil
	}
	for n := range GroupCount {
		at := n * groupSize
		if len(groups) < most && string(a[at:at+groupSize]) != string(b[at:at+groupSize]) {
			groups = append(groups, n)
		}
	}
	return groups
}
