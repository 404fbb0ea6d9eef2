package zfssim

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// A tree is the contents of a dataset: directories, regular files and symbolic
// links, with their modes, owners and times. Other datasets mounted inside
// count as empty directories, .zfs at the top is left out.

// entries lists a directory's own entries in order; none where it is missing.
func entries(root, rel string) ([]fs.DirEntry, error) {
	list, err := os.ReadDir(filepath.Join(root, rel))
	if errors.Is(err, fs.ErrNotExist) && rel == "" {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if rel != "" && isMount(filepath.Join(root, rel)) {
		return nil, nil
	}
	kept := list[:0]
	for _, e := range list {
		if rel == "" && e.Name() == ".zfs" {
			continue
		}
		if t := e.Type(); t == 0 || t == fs.ModeDir || t == fs.ModeSymlink {
			kept = append(kept, e)
		}
	}
	return kept, nil
}

// copyTree makes dst a copy of src that shares nothing with it.
func copyTree(src, dst string) error {
	return walkCopy(src, dst, "", func(rel string, info fs.FileInfo) error {
		return copyFile(filepath.Join(src, rel), filepath.Join(dst, rel), info)
	})
}

// linkTree makes dst a copy of src whose files are src's: for frozen trees.
func linkTree(src, dst string) error {
	return walkCopy(src, dst, "", func(rel string, info fs.FileInfo) error {
		return os.Link(filepath.Join(src, rel), filepath.Join(dst, rel))
	})
}

// freeze makes dst a frozen copy of the live tree src. A file that is as it
// was in prev, the newest snapshot's tree made at the time made, shares it.
func freeze(src, prev, dst string, made time.Time) error {
	return walkCopy(src, dst, "", func(rel string, info fs.FileInfo) error {
		old := filepath.Join(prev, rel)
		if prev != "" && unchanged(filepath.Join(src, rel), info, old, made) {
			return os.Link(old, filepath.Join(dst, rel))
		}
		return copyFile(filepath.Join(src, rel), filepath.Join(dst, rel), info)
	})
}

// unchanged trusts the times only when the file's inode was last touched
// clearly before the old copy was made; otherwise it reads both.
func unchanged(path string, info fs.FileInfo, old string, made time.Time) bool {
	was, err := os.Lstat(old)
	if err != nil || !was.Mode().IsRegular() || was.Mode() != info.Mode() || was.Size() != info.Size() ||
		!was.ModTime().Equal(info.ModTime()) || !sameOwner(was, info) {
		return false
	}
	if changeTime(info).Before(made.Add(-2 * time.Second)) {
		return true
	}
	same, err := sameContent(path, old)
	return err == nil && same
}

func walkCopy(src, dst, rel string, file func(rel string, info fs.FileInfo) error) error {
	list, err := entries(src, rel)
	if err != nil {
		return err
	}
	for _, e := range list {
		path := filepath.Join(rel, e.Name())
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed meanwhile
		}
		if err != nil {
			return err
		}
		switch {
		case info.IsDir():
			if err := os.Mkdir(filepath.Join(dst, path), 0o700); err != nil {
				return err
			}
			if err := walkCopy(src, dst, path, file); err != nil {
				return err
			}
		case info.Mode()&fs.ModeSymlink != 0:
			target, err := os.Readlink(filepath.Join(src, path))
			if err != nil {
				return err
			}
			if err := os.Symlink(target, filepath.Join(dst, path)); err != nil {
				return err
			}
		default:
			if err := file(path, info); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			continue
		}
		if err := setAttributes(filepath.Join(dst, path), attributesOf(info)); err != nil {
			return err
		}
	}
	if rel != "" {
		return nil
	}
	if info, err := os.Stat(src); err == nil {
		return setAttributes(dst, attributesOf(info))
	}
	return nil
}

func copyFile(src, dst string, info fs.FileInfo) error {
	in, err := os.Open(src)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(dst, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if err := copySparse(out, in, info.Size()); err != nil {
		return errors.Join(err, out.Close())
	}
	if err := out.Close(); err != nil {
		return err
	}
	return setAttributes(dst, attributesOf(info))
}

const (
	seekData = 3 // SEEK_DATA and SEEK_HOLE are the same on Linux, FreeBSD and illumos
	seekHole = 4
)

// copySparse copies what is not a hole and sets the size.
func copySparse(out, in *os.File, size int64) error {
	if err := out.Truncate(size); err != nil {
		return err
	}
	for at := int64(0); at < size; {
		from, to := nextData(in, at, size)
		if from >= size {
			return nil
		}
		if _, err := in.Seek(from, io.SeekStart); err != nil {
			return err
		}
		if _, err := out.Seek(from, io.SeekStart); err != nil {
			return err
		}
		if _, err := io.CopyN(out, in, to-from); err != nil && err != io.EOF {
			return err
		}
		at = to
	}
	return nil
}

// nextData returns the next stretch of data at or behind at.
func nextData(f *os.File, at, size int64) (from, to int64) {
	from, err := f.Seek(at, seekData)
	if errors.Is(err, syscall.ENXIO) {
		return size, size
	}
	if err != nil {
		return at, size
	}
	to, err = f.Seek(from, seekHole)
	if err != nil || to > size {
		to = size
	}
	return from, to
}

func sameContent(a, b string) (bool, error) {
	fa, err := os.Open(a)
	if err != nil {
		return false, err
	}
	defer fa.Close()
	fb, err := os.Open(b)
	if err != nil {
		return false, err
	}
	defer fb.Close()
	ba, bb := make([]byte, 1<<17), make([]byte, 1<<17)
	for {
		na, errA := io.ReadFull(fa, ba)
		nb, errB := io.ReadFull(fb, bb)
		if na != nb || !bytes.Equal(ba[:na], bb[:nb]) {
			return false, nil
		}
		if errA != nil || errB != nil {
			return (errA == io.EOF || errA == io.ErrUnexpectedEOF) && (errB == io.EOF || errB == io.ErrUnexpectedEOF), nil
		}
	}
}

// attributes of an entry, as streams carry them.
type attributes struct {
	Mode  uint32 `json:"mode"` // permissions and set-id bits as in chmod(2)
	UID   uint32 `json:"uid,omitempty"`
	GID   uint32 `json:"gid,omitempty"`
	MTime int64  `json:"mtime"` // nanoseconds
	Link  bool   `json:"-"`
}

func attributesOf(info fs.FileInfo) attributes {
	st := info.Sys().(*syscall.Stat_t)
	return attributes{
		Mode: uint32(st.Mode) & 0o7777, UID: st.Uid, GID: st.Gid,
		MTime: info.ModTime().UnixNano(), Link: info.Mode()&fs.ModeSymlink != 0,
	}
}

func sameOwner(a, b fs.FileInfo) bool {
	x, y := attributesOf(a), attributesOf(b)
	return x.UID == y.UID && x.GID == y.GID
}

// setAttributes gives an owner only where the caller may.
func setAttributes(path string, a attributes) error {
	if os.Geteuid() == 0 {
		if err := os.Lchown(path, int(a.UID), int(a.GID)); err != nil {
			return err
		}
	}
	if a.Link {
		return nil
	}
	if err := syscall.Chmod(path, a.Mode); err != nil {
		return err
	}
	return os.Chtimes(path, time.Time{}, time.Unix(0, a.MTime))
}
