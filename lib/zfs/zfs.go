// Package zfs runs zfs(8) and reads what it prints.
//
// It promises that only checked names become arguments, that a list which ends
// early is an error however much of it was read, and that an error is one line
// in ZFS's own words. Its callers decide what to destroy, to keep or to send.
// It has no state, so any number of goroutines may use one ZFS.
package zfs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
)

// ZFS is a zfs program to run. The zero value is of no use: see Find.
type ZFS struct {
	Path string // of the program
	// Ran, where it is set, is called with the arguments of each command just
	// before it starts, possibly from several goroutines at once.
	Ran func(args []string)
}

// Find returns the zfs program that $ZREPL_ZFS names, or the one in $PATH.
func Find() (*ZFS, error) {
	name := os.Getenv("ZREPL_ZFS")
	from := "$ZREPL_ZFS"
	if name == "" {
		name, from = "zfs", "$PATH"
	}
	path, err := exec.LookPath(name)
	if err != nil {
		var e *exec.Error
		if errors.As(err, &e) {
			err = e.Err
		}
		return nil, fmt.Errorf("cannot find the zfs program %q (from %s): %w", name, from, err)
	}
	return &ZFS{Path: path}, nil
}

// output runs zfs with args and collects its standard output, which must be
// short.
func (z *ZFS) output(ctx context.Context, args ...string) (string, error) {
	var out []byte
	err := z.lines(ctx, args, func(line string) error {
		if len(out)+len(line) >= maxOutput {
			return fmt.Errorf("zfs %s: output of more than %d bytes", args[0], maxOutput)
		}
		out = append(append(out, line...), '\n')
		return nil
	})
	return string(out), err
}
