package peek

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// A Copier copies what a snapshot has at a path to a new name of this host.
//
// The name appears when all is there, and on the disk. Until then, and after a kill,
// only a name that begins with Unfinished is beside it.
type Copier struct {
	Recursive bool // folders, too
	Setuid    bool // keep setuid and setgid bits, and capabilities
	// Wrote is called with the bytes of each piece that was written; nil: nobody asks.
	Wrote func(n int)
	// Note is called with what could not be kept, or was left out.
	Note func(text string)
	// Missing is called with what below a folder could not be copied.
	Missing func(text string)

	tree    bool
	items   int // files, folders and links that were tried
	missing int // of these
	// last gives the copied folder its mode when it has its name: without the right to
	// write into it, it cannot be moved.
	last func(published bool) error
}

// Unfinished begins the names of copies that are not whole.
const Unfinished = ".zreplctl-restore-"

// maxDepth is how deep a tree of folders may be: two of each level are open.
const maxDepth = 300

// Target is the folder and the name at which a copy called name lands: below the
// target if that is a folder, and not a symbolic link.
func Target(target, name string) (dir, base string, err error) {
	if target == "" || name == "" {
		return "", "", errors.New("the target has no name")
	}
	if info, err := os.Lstat(strings.TrimRight(target, "/") + "/."); err == nil && info.IsDir() && !isLink(target) {
		target = filepath.Join(target, filepath.Base(name))
	} else if strings.HasSuffix(target, "/") {
		return "", "", fmt.Errorf("%q is not a folder", target)
	}
	dir, base = filepath.Dir(target), filepath.Base(target)
	if base == "." || base == ".." || base == "/" {
		return "", "", fmt.Errorf("%q is not the name of a file", target)
	}
	if _, err := os.Lstat(filepath.Join(dir, base)); err == nil {
		return "", "", fmt.Errorf("%q: %w", filepath.Join(dir, base), ErrThere)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return "", "", err
	}
	return dir, base, nil
}

// isLink: with a slash at its end, a link was meant as the folder to which it leads.
func isLink(target string) bool {
	if strings.HasSuffix(target, "/") {
		return false
	}
	info, err := os.Lstat(target)
	return err == nil && info.Mode()&os.ModeSymlink != 0
}

// ErrThere says that the name is taken. Nothing is overwritten.
var ErrThere = errors.New("it exists, and nothing is overwritten")

// Copy copies. The folder and the name are those of Target.
func (c *Copier) Copy(ctx context.Context, s *Snapshot, inside, dir, base string) error {
	from, name, err := s.walk(inside)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := openFolder(dir)
	if err != nil {
		return err
	}
	defer to.Close()
	if _, err := to.Lstat(base); err == nil {
		return fmt.Errorf("%q: %w", filepath.Join(dir, base), ErrThere)
	}
	stage, err := newStage(to)
	if err != nil {
		return fmt.Errorf("%q: %w", dir, err)
	}
	err = c.item(ctx, place{from, name, inside}, stage.at, inStage, 0)
	if err == nil && c.tree {
		err = syncTree(stage.at)
	}
	if err == nil {
		err = stage.publish(base)
	}
	if c.last != nil {
		err = errors.Join(err, c.last(err == nil))
	}
	if err = errors.Join(err, stage.close()); err != nil {
		return err
	}
	if err := syncFolder(to); err != nil || c.missing == 0 {
		return err
	}
	return &PartError{c.missing, c.items}
}

// A place is a name in a folder of a snapshot, and the path to it for messages.
type place struct {
	at   *os.Root
	name string
	path string
}

// item copies one file, folder or symbolic link to a new name.
func (c *Copier) item(ctx context.Context, from place, to *os.Root, name string, depth int) error {
	c.items++
	info, err := from.at.Lstat(from.name)
	if err != nil {
		return err
	}
	switch {
	case info.Mode().IsRegular():
		err = c.file(ctx, from, to, name, info)
	case info.IsDir() && !c.Recursive:
		return errFolder
	case info.IsDir():
		c.tree = true
		err = c.folder(ctx, from, to, name, info, depth)
	case info.Mode()&os.ModeSymlink != 0:
		err = c.link(from, to, name, info)
	case depth == 0:
		return fmt.Errorf("%q: %w", from.path, errSpecial)
	default:
		c.note("left out %q: %v", from.path, errSpecial)
	}
	if err != nil && ctx.Err() == nil && depth == 0 {
		return fmt.Errorf("cannot copy %q: %w", from.path, err)
	}
	return err
}

var errFolder = errors.New("it is a folder: add -r to restore all that it holds")

func (c *Copier) file(ctx context.Context, from place, to *os.Root, name string, info fs.FileInfo) (err error) {
	in, err := open(from.at, from.name)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := to.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return onTarget(err)
	}
	defer func() { err = errors.Join(err, onTarget(out.Close())) }()
	if err := c.contents(ctx, out, in, info.Size()); err != nil {
		return err
	}
	if err := out.Chmod(c.dress(out, in, from.path, info)); err != nil {
		return onTarget(err)
	}
	if err := setTime(to, name, info); err != nil {
		return onTarget(err)
	}
	if c.tree && syncsTrees {
		return nil
	}
	return onTarget(out.Sync())
}

func (c *Copier) folder(ctx context.Context, from place, to *os.Root, name string, info fs.FileInfo, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("more than %d folders in one another", maxDepth)
	}
	in, err := enter(from.at, from.name)
	if err != nil {
		return err
	}
	defer in.Close()
	src, err := in.Open(".")
	if err != nil {
		return err
	}
	defer src.Close()
	if err := to.Mkdir(name, 0o700); err != nil {
		return onTarget(err)
	}
	out, err := to.OpenRoot(name)
	if err != nil {
		return onTarget(err)
	}
	defer out.Close()
	if err := c.children(ctx, src, place{in, "", from.path}, out, depth+1); err != nil {
		return err
	}
	dst, err := out.Open(".")
	if err != nil {
		return onTarget(err)
	}
	mode := c.dress(dst, src, from.path, info)
	if depth == 0 {
		c.last = func(published bool) error { return finish(dst, mode, published) }
	} else if err := errors.Join(dst.Chmod(mode), dst.Close()); err != nil {
		return onTarget(err)
	}
	return onTarget(setTime(to, name, info))
}

func finish(dst *os.File, mode fs.FileMode, published bool) (err error) {
	if published {
		err = errors.Join(dst.Chmod(mode), dst.Sync())
	}
	return errors.Join(err, dst.Close())
}

// children copies all that a folder holds, which is open as list and as from. What
// cannot be copied does not keep from the rest.
func (c *Copier) children(ctx context.Context, list *os.File, from place, to *os.Root, depth int) error {
	for {
		names, err := list.Readdirnames(1000)
		for _, name := range names {
			if from.path == "." && name == ".zfs" {
				continue
			}
			path := filepath.Join(from.path, name)
			err := c.item(ctx, place{from.at, name, path}, to, name, depth)
			if err == nil {
				continue
			}
			if ctx.Err() != nil || ends(err) {
				return about(path, err)
			}
			if err := to.RemoveAll(name); err != nil {
				return about(path, err)
			}
			c.lack("cannot copy %q: %v", path, err)
		}
		if len(names) > 0 {
			continue
		}
		if err := ended(err); err != nil {
			c.lack("cannot read all of the folder %q: %v", from.path, err)
		}
		return nil
	}
}

func (c *Copier) link(from place, to *os.Root, name string, info fs.FileInfo) error {
	target, err := from.at.Readlink(from.name)
	if err != nil {
		return err
	}
	if err := to.Symlink(target, name); err != nil {
		return onTarget(err)
	}
	if uid, gid, ok := owner(info); ok && to.Lchown(name, uid, gid) != nil {
		c.note("cannot keep the owner of %q", from.path)
	}
	return setTime(to, name, info)
}

func (c *Copier) note(format string, args ...any) {
	if c.Note != nil {
		c.Note(fmt.Sprintf(format, args...))
	}
}
