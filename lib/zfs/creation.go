package zfs

import (
	"errors"
	"fmt"
	"strconv"
)

// LastSecond is the end of the year 9999, the latest time that can be written.
const LastSecond = 253402300799

// Creation reads the creation of a snapshot or a bookmark, in seconds since
// 1970. A received snapshot has the time that its stream names, and ZFS prints
// it unsigned: what is later than LastSecond counts as LastSecond, and is no
// error, so that one snapshot cannot spoil a list.
func Creation(text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0, fmt.Errorf("creation %q is not a number of seconds", text)
	}
	return min(max(n, -LastSecond), LastSecond), nil
}
