package peek

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// Kind is what a path leads to.
type Kind string

// The kinds. All others are special, and never opened.
const (
	File    Kind = "file"
	Folder  Kind = "folder"
	Link    Kind = "link"
	Special Kind = "special"
)

// Info is what a snapshot has at a path.
type Info struct {
	Kind    Kind
	Size    int64 // of a file
	Changed time.Time
	To      string // of a symbolic link

	stat inode
}

// inode tells whether nobody has touched a file between two snapshots. All of it is
// 0 if this system does not say.
type inode struct {
	number  uint64
	changed time.Time
}

// Look says what is at a path; nil: nothing.
func (s *Snapshot) Look(inside string) (*Info, error) {
	at, name, err := s.walk(inside)
	if nothing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer at.Close()
	info, err := look(at, name)
	if nothing(err) {
		return nil, nil
	}
	return info, err
}

func nothing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, errNoFolder) || errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.ENAMETOOLONG)
}

func look(at *os.Root, name string) (*Info, error) {
	found, err := at.Lstat(name)
	if err != nil {
		return nil, err
	}
	info := &Info{Kind: Special, Changed: found.ModTime(), stat: inodeOf(found)}
	switch {
	case found.Mode().IsRegular():
		info.Kind, info.Size = File, found.Size()
	case found.IsDir():
		info.Kind = Folder
	case found.Mode()&os.ModeSymlink != 0:
		info.Kind = Link
		info.To, err = at.Readlink(name)
	}
	return info, err
}

// open opens a regular file, which Lstat has seen. What has taken its place
// meanwhile is not waited for, and nothing is read from it.
func open(at *os.Root, name string) (*os.File, error) {
	was, err := at.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !was.Mode().IsRegular() {
		return nil, errSpecial
	}
	f, err := at.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	if now, err := f.Stat(); err != nil || !now.Mode().IsRegular() || !os.SameFile(was, now) {
		f.Close()
		return nil, errors.Join(errChanges, err)
	}
	return f, nil
}

var errSpecial = errors.New("it is neither a file nor a folder nor a symbolic link")

// Same reports whether two snapshots have the same at a path. The contents are read
// only if all else is the same, and yet somebody has touched the file between.
// Then read is called, if it is not nil, with how far that is.
func Same(ctx context.Context, a, b *Snapshot, inside string, ia, ib *Info, read func(at int64)) (bool, error) {
	switch {
	case ia == nil || ib == nil:
		return ia == ib, nil
	case ia.Kind != ib.Kind || ia.Size != ib.Size || ia.To != ib.To:
		return false, nil
	case ia.Kind != Link && !ia.Changed.Equal(ib.Changed): // a link is where it leads to
		return false, nil
	case ia.Kind != File || ia.stat != inode{} && ia.stat == ib.stat:
		return true, nil
	}
	fa, err := a.open(inside)
	if err != nil {
		return false, err
	}
	defer fa.Close()
	fb, err := b.open(inside)
	if err != nil {
		return false, err
	}
	defer fb.Close()
	return sameContents(ctx, fa, fb, ia.Size, read)
}

func (s *Snapshot) open(inside string) (*os.File, error) {
	at, name, err := s.walk(inside)
	if err != nil {
		return nil, err
	}
	defer at.Close()
	return open(at, name)
}
