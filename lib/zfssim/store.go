package zfssim

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"syscall"
)

// A store is the root directory, opened under its lock: shared for commands
// that look, exclusive for commands that change something. The lock is held
// until close; streams move without it.
type store struct {
	root string
	lock *os.File
}

func openStore(root string, write bool) (*store, error) {
	if err := os.MkdirAll(filepath.Join(root, "pools"), 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(root, "lock"), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	s := &store{root: root, lock: f}
	if !write {
		if err := flock(f, syscall.LOCK_SH); err != nil {
			return nil, errors.Join(err, f.Close())
		}
		if !s.unfinished() {
			return s, nil
		}
	}
	if err := flock(f, syscall.LOCK_EX); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if err := s.recover(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return s, nil
}

func (s *store) close() { s.lock.Close() }

// unfinished says whether somebody died and left work for recover.
func (s *store) unfinished() bool {
	if _, err := os.Lstat(s.path("journal")); err == nil {
		return true
	}
	for _, dir := range []string{"receiving", "tmp"} {
		entries, _ := os.ReadDir(s.path(dir))
		for _, e := range entries {
			if abandoned(s.path(dir, e.Name())) {
				return true
			}
		}
	}
	return false
}

// recover finishes what a killed writer had committed and removes what it had
// not. The caller has the exclusive lock.
func (s *store) recover() error {
	if err := s.replay(); err != nil {
		return err
	}
	if err := s.reapReceives(); err != nil {
		return err
	}
	entries, _ := os.ReadDir(s.path("tmp"))
	for _, e := range entries {
		if p := s.path("tmp", e.Name()); abandoned(p) {
			if err := removeAll(p); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *store) path(parts ...string) string {
	return filepath.Join(append([]string{s.root}, parts...)...)
}

// stage makes a directory for what is being prepared. It is removed by
// whoever next takes the exclusive lock when the returned file is closed, also
// by death.
func (s *store) stage() (string, *os.File, error) {
	if err := os.MkdirAll(s.path("tmp"), 0o755); err != nil {
		return "", nil, err
	}
	for {
		dir, err := os.MkdirTemp(s.path("tmp"), "")
		if err != nil {
			return "", nil, err
		}
		f, err := os.Open(dir)
		if err == nil {
			err = flock(f, syscall.LOCK_SH)
		}
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed between the two, as nobody's
		}
		if err != nil {
			return "", nil, err
		}
		if _, err := os.Lstat(dir); err == nil {
			return dir, f, nil
		}
		f.Close()
	}
}

// abandoned reports whether no living process holds path's lock.
func abandoned(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	return flock(f, syscall.LOCK_EX|syscall.LOCK_NB) == nil
}

func flock(f *os.File, how int) error {
	for {
		err := syscall.Flock(int(f.Fd()), how)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// removeAll also removes directories that their mode protects.
func removeAll(path string) error {
	err := os.RemoveAll(path)
	if err == nil {
		return nil
	}
	filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		if d != nil && d.IsDir() {
			os.Chmod(p, 0o700)
		}
		return nil
	})
	return os.RemoveAll(path)
}

// dir says where a dataset lies. Private entries of its directory start with
// @, which no component of a name can.
func (s *store) dir(name string, parts ...string) string {
	pool, rest, _ := strings.Cut(name, "/")
	return filepath.Join(append([]string{s.root, "pools", pool, "ds", rest}, parts...)...)
}
