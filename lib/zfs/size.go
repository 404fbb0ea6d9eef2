package zfs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// SendSize is about how many bytes the stream of a command that SendArgs made
// has, as zfs send estimates it.
func (z *ZFS) SendSize(ctx context.Context, command []string) (uint64, error) {
	if len(command) < 3 || command[1] != "send" {
		return 0, errors.New("not a command that sends")
	}
	args := slices.Concat([]string{"send", "-n", "-v", "-P"}, command[2:])
	var size uint64
	found := false
	err := z.lines(ctx, args, func(line string) error {
		text, ok := strings.CutPrefix(line, "size\t")
		if !ok {
			return nil
		}
		var err error
		size, err = strconv.ParseUint(strings.TrimSpace(text), 10, 64)
		found = err == nil
		return err
	})
	if err == nil && !found {
		err = fmt.Errorf("zfs send -n: says nothing of a size")
	}
	return size, err
}
