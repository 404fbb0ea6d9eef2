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
	"time"

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

// maxAge is how long a note explains anything. A digest of a large snapshot may
// take many hours; a verify that hangs must not keep a snapshot without a
// failure for ever, as nobody reads warnings. A clock that was ahead makes no
// note last longer.
const maxAge = 24 * time.Hour

// maxMaking is how long a note may be in the making: later, its process was
// killed.
const maxMaking = time.Hour

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

// Now returns the snapshots that are being read, for at most maxAge. It removes
// the notes of processes that were killed.
func (d Dir) Now() map[string]bool {
	entries, err := os.ReadDir(string(d))
	if err != nil {
		return nil
	}
	all := map[string]bool{}
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), hidden) {
			d.sweep(entry)
			continue
		}
		if name, err := look(filepath.Join(string(d), entry.Name())); err == nil && name != "" {
			all[name] = true
		}
	}
	return all
}

// sweep removes what is left of a note that a killed process was making. It
// must not try the lock: then make could not get it.
func (d Dir) sweep(entry fs.DirEntry) {
	if info, err := entry.Info(); err == nil && info.Mode().IsRegular() && older(info, maxMaking) {
		os.Remove(filepath.Join(string(d), entry.Name()))
	}
}

func older(info fs.FileInfo, age time.Duration) bool { return time.Since(info.ModTime()).Abs() > age }

// look returns the snapshot of a note, empty if nobody holds its lock or it is
// too old.
func look(path string) (snapshot string, err error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return "", errors.Join(err, fs.ErrInvalid)
	}
	// Several may look at once: their locks are shared.
	switch err := syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB); {
	case err == nil:
		os.Remove(path)
		return "", nil
	case !errors.Is(err, syscall.EWOULDBLOCK):
		return "", err
	case older(info, maxAge):
		return "", nil
	}
	text, err := io.ReadAll(io.LimitReader(f, maxName))
	return string(text), err
}
