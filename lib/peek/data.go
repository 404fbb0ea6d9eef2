package peek

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	seekData = 3 // SEEK_DATA and SEEK_HOLE are the same on Linux, FreeBSD and illumos
	seekHole = 4
)

// contents copies what is not a hole, and sets the size.
func (c *Copier) contents(ctx context.Context, out, in *os.File, size int64) error {
	if err := out.Truncate(size); err != nil {
		return onTarget(err)
	}
	buffer := make([]byte, min(1<<20, max(size, 1)))
	for at := int64(0); at < size; {
		from, to := nextData(in, at, size)
		for at = from; at < to; {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			n, err := in.ReadAt(buffer[:min(int64(len(buffer)), to-at)], at)
			if n == 0 {
				return errors.Join(errChanges, ended(err))
			}
			if _, err := out.WriteAt(buffer[:n], at); err != nil {
				return onTarget(err)
			}
			at += int64(n)
			if c.Wrote != nil {
				c.Wrote(n)
			}
		}
	}
	return nil
}

func ended(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// nextData is the next stretch of data at or after a place. Where nobody tells of
// holes, all is data.
func nextData(f *os.File, at, size int64) (from, to int64) {
	from, err := f.Seek(at, seekData)
	if errors.Is(err, syscall.ENXIO) {
		return size, size
	}
	if err != nil || from < at {
		return at, size
	}
	to, err = f.Seek(from, seekHole)
	if err != nil || to > size || to <= from {
		to = size
	}
	return min(from, size), to
}

// setTime sets when the contents were changed, also of a symbolic link itself.
func setTime(at *os.Root, name string, info fs.FileInfo) error {
	dir, err := at.Open(".")
	if err != nil {
		return err
	}
	defer dir.Close()
	changed, err := unix.TimeToTimespec(info.ModTime())
	if err != nil {
		return err
	}
	return unix.UtimesNanoAt(int(dir.Fd()), name, []unix.Timespec{changed, changed}, unix.AT_SYMLINK_NOFOLLOW)
}

func syncFolder(at *os.Root) error {
	dir, err := at.Open(".")
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := dir.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.EBADF) {
		return err
	}
	return nil
}

func taken(err error) error {
	if errors.Is(err, fs.ErrExist) || errors.Is(err, syscall.ENOTEMPTY) {
		return ErrThere
	}
	return err
}
