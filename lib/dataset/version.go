package dataset

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
)

// GUID is the identity of a version: a snapshot keeps it through rename, send
// and receive, and its bookmarks bear it too.
type GUID uint64

// String writes the guid as zfs(8) does, in decimal.
func (g GUID) String() string { return strconv.FormatUint(uint64(g), 10) }

// ParseGUID reads a guid as zfs list -p prints it. It is never 0.
func ParseGUID(s string) (GUID, error) {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("guid %q is not a number from 1 to 2^64-1", s)
	}
	return GUID(n), nil
}

// Version is a snapshot or a bookmark of one dataset.
type Version struct {
	Kind      Kind   `json:"kind"`
	Name      string `json:"name"` // without the dataset and the @ or #
	GUID      GUID   `json:"guid"`
	CreateTXG uint64 `json:"createtxg"` // orders the versions within one pool only
}

// String is the version's name behind its dataset's: "@x" or "#x".
func (v Version) String() string { return string(rune(v.Kind)) + v.Name }

// Full is the version's whole name.
func (v Version) Full(ds string) string { return ds + v.String() }

// Sort orders versions by createtxg. A bookmark stands where its snapshot
// stood; of one createtxg the snapshot comes first, then by name.
func Sort(vs []Version) {
	slices.SortFunc(vs, func(a, b Version) int {
		return cmp.Or(
			cmp.Compare(a.CreateTXG, b.CreateTXG),
			cmp.Compare(b.Kind, a.Kind), // '@' > '#'
			cmp.Compare(a.Name, b.Name),
		)
	})
}
