// Package state keeps what a job's runs leave for later ones, and for those
// who ask how the job is, in files that survive a reboot.
//
// It promises that a file is whole at any moment, that it is bounded in what
// it reads, and that nobody but the directory's owner decides what is in it.
package state

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
)

// Dir is a directory of state. The zero value keeps nothing.
type Dir struct {
	path  string
	group string // may read it; empty: nobody else
	old   string // where earlier versions kept the same files
}

// Of returns the directory that a configuration names.
func Of(g config.Global) Dir { return Dir{path: g.StateDir, group: g.Monitor.Group, old: g.RunDir} }

// In returns a directory by its path alone.
func In(path string) Dir { return Dir{path: path} }

// IsNone reports whether d keeps nothing.
func (d Dir) IsNone() bool { return d.path == "" }

// Path is where a file is, or will be.
func (d Dir) Path(name string) string { return filepath.Join(d.path, name) }

// Where is Path, or the file of an earlier version if there is no other.
func (d Dir) Where(name string) string {
	path := d.Path(name)
	if d.old == "" || d.old == d.path {
		return path
	}
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		if old := filepath.Join(d.old, name); there(old) {
			return old
		}
	}
	return path
}

func there(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.Mode().IsRegular()
}

// Private is the same directory, in which what is written is its owner's alone.
func (d Dir) Private() Dir {
	d.group = ""
	return d
}

// Has reports whether a file is there. Who may not read the file may ask.
func (d Dir) Has(name string) bool {
	if d.IsNone() {
		return false
	}
	_, err := os.Lstat(d.Where(name))
	return err == nil
}

// Make makes the directory if it is missing, and lets the group read it if that
// can be done.
func (d Dir) Make() error {
	mode := fs.FileMode(0o700)
	if d.group != "" {
		mode = 0o750
	}
	if err := Make(d.path, mode); err != nil {
		if errno, ok := errors.AsType[syscall.Errno](err); ok {
			err = errno // its path may be one above
		}
		return &DirError{"statedir", d.path, err}
	}
	_ = d.share(d.path, mode) // see Shared
	return nil
}

// Shared says why the group cannot read the directory. Nothing else fails for
// that: its files are then its owner's alone.
func (d Dir) Shared() error {
	err := d.share(d.path, 0o750)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return fmt.Errorf("cannot let the group read %q: %w", d.path, err)
}

// Read reads a file of at most max bytes. The error is fs.ErrNotExist if it was
// never written.
func (d Dir) Read(name string, max int64) ([]byte, error) {
	f, err := os.Open(d.Where(name))
	if errors.Is(err, syscall.ENOTDIR) {
		return nil, d.unusable(err)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() > max || !info.Mode().IsRegular() {
		return nil, &strangeError{f.Name(), max}
	}
	return io.ReadAll(io.LimitReader(f, max))
}

// A strangeError is of a file that no Write has made.
type strangeError struct {
	name string
	max  int64
}

func (e *strangeError) Error() string {
	return fmt.Sprintf("%q is not a file of at most %d bytes", e.name, e.max)
}

// Ours says why a file could be another user's text: it then must not decide
// which programs run.
func (d Dir) Ours(name string) error {
	if err := d.Make(); err != nil {
		return err
	}
	info, err := os.Lstat(d.Path(name))
	if err != nil {
		return err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !ok || stat.Uid != 0 && int(stat.Uid) != os.Geteuid():
		return errors.New("it belongs to another user")
	case !info.Mode().IsRegular() || info.Mode().Perm()&0o022 != 0:
		return fmt.Errorf("others can write it (mode %04o)", info.Mode().Perm())
	}
	return nil
}

// Write replaces a file. The old text or the new one is there at any moment,
// also after a crash.
func (d Dir) Write(name string, text []byte) error {
	if err := d.Make(); err != nil {
		return err
	}
	fresh := d.Path(name) + ".new"
	f, err := os.OpenFile(fresh, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return d.unusable(err)
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		_ = d.share(fresh, 0o640) // Shared says why not: the file matters more
		err = os.Rename(fresh, d.Path(name))
	}
	if err != nil {
		_ = os.Remove(fresh) // what is left of it would keep a full disk full
		return d.unusable(err)
	}
	return d.removeOld(name)
}

// Remove removes a file, if it is there.
func (d Dir) Remove(name string) error {
	if err := os.Remove(d.Path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return d.unusable(err)
	}
	return d.removeOld(name)
}

// removeOld removes what an earlier version left: it would come back if the new
// file were lost.
func (d Dir) removeOld(name string) error {
	if d.old == "" || d.old == d.path {
		return nil
	}
	err := os.Remove(filepath.Join(d.old, name))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil
	}
	return err
}

// Update replaces a file by what change makes of it, while no other process
// does. A file that no Write has made is as if it were empty. One that cannot be
// read stays: the next time, what is in it may be there again.
func (d Dir) Update(name string, max int64, change func(old []byte) ([]byte, error)) error {
	if err := d.Make(); err != nil {
		return err
	}
	lock, err := d.lock(name)
	if err != nil {
		return err
	}
	defer lock.Close()
	old, err := d.Read(name, max)
	var strange *strangeError
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.As(err, &strange) {
		return err
	}
	text, err := change(old)
	if err != nil {
		return err
	}
	return d.Write(name, text)
}

// lock waits until no other process has the lock of a file. Closing it lets it
// go.
func (d Dir) lock(name string) (*os.File, error) {
	f, err := os.OpenFile(d.Path(name)+".lock", os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, d.unusable(err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// Sync puts the names of the files on disk. A file that Write has replaced may
// otherwise be the old one after a crash, and a new one may be missing. The
// parent has the name of the directory, which may be new.
func (d Dir) Sync() error {
	if d.IsNone() {
		return nil
	}
	for _, path := range []string{d.path, filepath.Dir(d.path)} {
		f, err := os.Open(path)
		if errors.Is(err, fs.ErrPermission) && path != d.path {
			continue // the parent is not ours
		}
		if err != nil {
			return err
		}
		err = f.Sync()
		if closing := f.Close(); err == nil {
			err = closing
		}
		if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
			err = nil // this file system has no such thing
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Files lists the files whose names have an ending, without it.
func (d Dir) Files(ending string) (names []string) {
	if d.IsNone() {
		return nil
	}
	entries, _ := os.ReadDir(d.path) // a directory that is missing has none
	for _, entry := range entries {
		if name, ok := strings.CutSuffix(entry.Name(), ending); ok && entry.Type().IsRegular() {
			names = append(names, name)
		}
	}
	return names
}
