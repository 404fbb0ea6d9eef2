// Package dataset holds the names and the versions of ZFS datasets.
//
// It promises that a name it accepts is a legal OpenZFS name (zfs(8), and
// zfs_namecheck.c for the limits) that no program can take for an option. It
// runs no command, and does not know which pools exist.
package dataset

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// MaxNameLen is the longest full name (dataset, snapshot or bookmark), in
// bytes: ZFS_MAX_DATASET_NAME_LEN without its NUL.
const MaxNameLen = 255

// MaxDepth is the largest number of components OpenZFS allows to nest by
// default (zfs_max_dataset_nesting).
const MaxDepth = 50

// CheckName reports what is wrong with name as the name of a filesystem or a
// volume. It accepts no snapshot and no bookmark.
func CheckName(name string) error {
	switch {
	case name == "":
		return errors.New("empty name")
	case len(name) > MaxNameLen:
		return fmt.Errorf("name of %d bytes: at most %d", len(name), MaxNameLen)
	case strings.Count(name, "/") >= MaxDepth:
		return fmt.Errorf("name of %d components: at most %d", strings.Count(name, "/")+1, MaxDepth)
	}
	at := 0
	for part := range strings.SplitSeq(name, "/") {
		if err := checkComponent(part, at); err != nil {
			return err
		}
		at += len(part) + 1
	}
	if c := name[0]; !letter(c) {
		return fmt.Errorf("pool name starts with %q: it must start with a letter", c)
	}
	return nil
}

// CheckShort reports what is wrong with short as the part of a snapshot's or
// a bookmark's name behind the @ or the #.
func CheckShort(short string) error {
	if len(short) > MaxNameLen {
		return fmt.Errorf("name of %d bytes: at most %d", len(short), MaxNameLen)
	}
	return checkComponent(short, 0)
}

// CheckFull reports what is wrong with full as the name of a snapshot or a
// bookmark (dataset@short, dataset#short).
func CheckFull(full string) error {
	ds, kind, short := Split(full)
	if kind == 0 {
		return errors.New("no @ or # in the name")
	}
	if len(full) > MaxNameLen {
		return fmt.Errorf("name of %d bytes: at most %d", len(full), MaxNameLen)
	}
	if err := CheckName(ds); err != nil {
		return err
	}
	return CheckShort(short)
}

func checkComponent(part string, at int) error {
	switch part {
	case "":
		return fmt.Errorf("empty component at byte %d", at+1)
	case ".", "..":
		return fmt.Errorf("component %q at byte %d", part, at+1)
	}
	for i := range len(part) {
		if !legal(part[i]) {
			return fmt.Errorf("character %s at byte %d", quoteFirst(part[i:]), at+i+1)
		}
	}
	return nil
}

// quoteFirst quotes the first character of s, or its first byte where that is
// no character.
func quoteFirst(s string) string {
	if r, size := utf8.DecodeRuneInString(s); r != utf8.RuneError || size > 1 {
		return strconv.QuoteRune(r)
	}
	return fmt.Sprintf(`'\x%02x'`, s[0])
}

func letter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }

func legal(c byte) bool {
	return letter(c) || '0' <= c && c <= '9' || strings.IndexByte("-_.: ", c) >= 0
}

// Kind is what stands between a dataset's name and a version's: '@' for a
// snapshot, '#' for a bookmark, 0 for the dataset itself.
type Kind byte

// The kinds of version.
const (
	Snapshot Kind = '@'
	Bookmark Kind = '#'
)

// Split takes a full name apart at its first @ or #. For a dataset's own name
// kind is 0 and short is empty.
func Split(full string) (ds string, kind Kind, short string) {
	i := strings.IndexAny(full, "@#")
	if i < 0 {
		return full, 0, ""
	}
	return full[:i], Kind(full[i]), full[i+1:]
}

// Pool returns the first component of a name of any kind.
func Pool(name string) string {
	if i := strings.IndexAny(name, "/@#"); i >= 0 {
		return name[:i]
	}
	return name
}

// ByPool groups names by their pools, in their order.
func ByPool(names []string) (pools [][]string) {
	at := map[string]int{}
	for _, name := range names {
		pool := Pool(name)
		i, ok := at[pool]
		if !ok {
			i = len(pools)
			at[pool] = i
			pools = append(pools, nil)
		}
		pools[i] = append(pools[i], name)
	}
	return pools
}

// Parent returns the dataset above name, or "" for a pool's root.
func Parent(name string) string {
	i := strings.LastIndexByte(name, '/')
	return name[:max(i, 0)]
}

// Within reports whether name is root or stands below it.
func Within(name, root string) bool {
	return strings.HasPrefix(name, root) && (len(name) == len(root) || name[len(root)] == '/')
}
