package zfs

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
)

// MaxDestroyArg is the longest argument DestroySnapshots makes, in bytes: the
// system takes 128 KiB for one.
const MaxDestroyArg = 100 << 10

// Snapshot takes the snapshots with these full names by one command: all of
// one pool in one transaction, or none.
func (z *ZFS) Snapshot(ctx context.Context, names []string, props map[string]string) error {
	if len(names) == 0 {
		return nil
	}
	if err := checkVersions(dataset.Snapshot, names...); err != nil {
		return err
	}
	set, err := assignments("-o", props)
	if err != nil {
		return err
	}
	args := append([]string{"snapshot"}, set...)
	_, err = z.output(ctx, append(args, names...)...)
	return err
}

// DestroySnapshots destroys snapshots of one dataset, named without it, by
// one command: all of them, or none and an error. Batch says how many fit.
func (z *ZFS) DestroySnapshots(ctx context.Context, ds string, shorts []string) error {
	if len(shorts) == 0 {
		return nil
	}
	if err := checkDatasets(ds); err != nil {
		return err
	}
	for _, short := range shorts {
		// A comma or a % would widen what is destroyed; no legal name has one.
		if err := dataset.CheckShort(short); err != nil {
			return fmt.Errorf("bad snapshot name %q: %w", ds+"@"+short, err)
		}
	}
	arg := ds + "@" + strings.Join(shorts, ",")
	if len(arg) > MaxDestroyArg {
		return fmt.Errorf("cannot destroy %d snapshots of %q at once: an argument of %d bytes", len(shorts), ds, len(arg))
	}
	_, err := z.output(ctx, "destroy", arg)
	return err
}

// DestroyDataset destroys a dataset that has no snapshot and nothing below it. ZFS
// refuses any other.
func (z *ZFS) DestroyDataset(ctx context.Context, name string) error {
	if err := checkDatasets(name); err != nil {
		return err
	}
	_, err := z.output(ctx, "destroy", name)
	return err
}

// Refused reads which snapshots of ds a DestroySnapshots that failed names
// ("cannot destroy snapshot NAME: REASON", a line each), and why.
func Refused(err error, ds string, shorts []string) map[string]error {
	var e *Error
	if !errors.As(err, &e) {
		return nil
	}
	asked := map[string]bool{}
	for _, short := range shorts {
		asked[short] = true
	}
	reasons := map[string]error{}
	for line := range strings.SplitSeq(e.Stderr, "\n") {
		_, about, ok := strings.Cut(line, ds+"@")
		for at := 0; ok && at < len(about); at++ {
			name := about[:at]
			if !asked[name] { // a name may hold colons and spaces
				continue
			}
			rest := strings.TrimPrefix(about[at:], "'")
			if reason, ok := strings.CutPrefix(rest, ": "); ok {
				reasons[name] = because(reason)
			}
		}
	}
	return reasons
}

// Batch returns how many of shorts, from the first, fit into one
// DestroySnapshots of ds: at least one, unless there are none.
func Batch(ds string, shorts []string) int {
	size := len(ds)
	for i, short := range shorts {
		size += 1 + len(short)
		if size > MaxDestroyArg && i > 0 {
			return i
		}
	}
	return len(shorts)
}
