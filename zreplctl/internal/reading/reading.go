// Package reading notes which snapshots of this host are read by zreplctl
// verify, so that pruning knows why it cannot destroy them yet.
//
// A note is a file with a lock, and says nothing once its process has ended. It
// only explains what ZFS has refused: without it nothing else happens.
package reading

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
)

// Dir is where the notes are.
type Dir string

// In returns the notes of a run directory.
func In(rundir string) Dir { return Dir(filepath.Join(rundir, "reading")) }

// maxName is longer than a snapshot's name can be.
const maxName = 1024

// hidden begins the name of a note that is still being made.
const hidden = "."

// Begin notes that a snapshot is read from now on, until end is called. If that
// cannot be noted, nothing is.
func (d Dir) Begin(snapshot string) (end func()) {
	if f, err := d.make(snapshot); err == nil {
		return func() {
			os.Remove(f.Name())
			f.Close()
		}
	}
	return func() {}
}

// made is a note with its final name.
type made struct {
	*os.File
	path string
}

func (m made) Name() string { return m.path }

// make locks the note before it gets its name: who looks takes one without a
// lock for an old one.
func (d Dir) make(snapshot string) (m made, err error) {
	if err := state.Make(string(d), 0o700); err != nil {
		return m, err
	}
	f, err := os.CreateTemp(string(d), hidden+"*")
	if err != nil {
		return m, err
	}
	m = made{f, filepath.Join(string(d), strings.TrimPrefix(filepath.Base(f.Name()), hidden))}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		_, err = f.WriteString(snapshot)
	}
	if err == nil {
		err = os.Rename(f.Name(), m.path)
	}
	if err != nil {
		os.Remove(f.Name())
		f.Close()
	}
	return m, err
}

// Now returns the snapshots that are being read. It removes the notes of
// processes that were killed.
func (d Dir) Now() map[string]bool {
	entries, err := os.ReadDir(string(d))
	if err != nil {
		return nil
	}
	all := map[string]bool{}
	for _, entry := range entries {
		if name, err := look(filepath.Join(string(d), entry.Name())); err == nil && name != "" {
			all[name] = true
		}
	}
	return all
}

// look returns the snapshot of a note, empty if nobody holds its lock.
func look(path string) (snapshot string, err error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return "", errors.Join(err, fs.ErrInvalid)
	}
	// Several may look at once: their locks are shared.
	switch err := syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB); {
	case err == nil:
		if !strings.HasPrefix(filepath.Base(path), hidden) {
			os.Remove(path)
		}
		return "", nil
	case !errors.Is(err, syscall.EWOULDBLOCK):
		return "", err
	}
	text, err := io.ReadAll(io.LimitReader(f, maxName))
	return string(text), err
}
