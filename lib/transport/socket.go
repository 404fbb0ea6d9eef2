package transport

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
)

// Socket is a Unix stream socket that is listened at. A lock beside it keeps
// others away who would remove it: of several that find one at which nobody
// listens any more, only one may.
type Socket struct {
	*net.UnixListener
	path string
	made fs.FileInfo
	lock *os.File
	once sync.Once
}

// ListenUnix makes a socket in a directory of which it promises the same as
// Listen. The error is ErrInUse where another process listens there.
func ListenUnix(path string) (*Socket, error) {
	owner, err := privateDirectory(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("cannot listen at %q: %w", path, err)
	}
	if err := checkLength(path); err != nil {
		return nil, err
	}
	s := &Socket{path: path}
	if s.lock, err = lockBeside(path); err != nil {
		return nil, fmt.Errorf("cannot listen at %q: %w", path, err)
	}
	if err := s.bind(owner); err != nil {
		s.unlock()
		return nil, fmt.Errorf("cannot listen at %q: %w", path, cause(err))
	}
	return s, nil
}

// AdoptUnix takes over a socket at path at which a manager of services listens for
// this process. The manager made it, and it stays when it is closed here.
func AdoptUnix(path string, f *os.File) (*Socket, error) {
	fail := func(err error) (*Socket, error) { return nil, fmt.Errorf("cannot listen at %q: %w", path, err) }
	if _, err := privateDirectory(filepath.Dir(path)); err != nil {
		return fail(err)
	}
	l, err := net.FileListener(f)
	if err != nil {
		return fail(cause(err))
	}
	own, ok := l.(*net.UnixListener)
	if !ok || !samePath(l.Addr().String(), path) {
		l.Close()
		return fail(fmt.Errorf("the socket is at %q", l.Addr()))
	}
	own.SetUnlinkOnClose(false)
	s := &Socket{UnixListener: own, path: path}
	if s.lock, err = lockBeside(path); err != nil {
		l.Close()
		return fail(err)
	}
	return s, nil
}

// samePath reports whether two paths lead to the same file, as /run and /var/run
// may.
func samePath(a, b string) bool {
	x, err := os.Lstat(a)
	y, err2 := os.Lstat(b)
	return err == nil && err2 == nil && os.SameFile(x, y)
}

// lockBeside takes the lock of a socket. No client's identity has such a name.
// In another user's directory it may be anything: it is only locked, and only
// if it is a file with one name.
func lockBeside(path string) (*os.File, error) {
	name := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".lock")
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0o600)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil {
		stat, ok := info.Sys().(*syscall.Stat_t)
		if !ok || !info.Mode().IsRegular() || stat.Nlink != 1 {
			err = fmt.Errorf("%q is no file of its own", name)
		}
	}
	if err == nil {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	}
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = ErrInUse
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func (s *Socket) bind(owner int) (err error) {
	if err := removeStale(s.path); err != nil {
		return err
	}
	if owner != os.Geteuid() {
		s.UnixListener, s.made, err = bindFor(owner, s.path)
		return err
	}
	if s.UnixListener, err = net.ListenUnix("unix", &net.UnixAddr{Name: s.path, Net: "unix"}); err != nil {
		return err
	}
	s.SetUnlinkOnClose(false) // it may be another's by then
	if s.made, err = os.Lstat(s.path); err != nil {
		return errors.Join(err, s.UnixListener.Close(), os.Remove(s.path))
	}
	return nil
}

// Close stops listening, and removes the socket if it is still the one that
// was made.
func (s *Socket) Close() error {
	s.once.Do(func() {
		if now, err := os.Lstat(s.path); err == nil && s.made != nil && os.SameFile(now, s.made) {
			os.Remove(s.path)
		}
		s.unlock()
	})
	return s.UnixListener.Close()
}

// unlock lets the lock go also where a process that another thread is just
// starting has it still: it loses its copies of the descriptors only with exec.
func (s *Socket) unlock() {
	syscall.Flock(int(s.lock.Fd()), syscall.LOCK_UN)
	s.lock.Close()
}

// removeStale removes a socket that nobody listens at.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != fs.ModeSocket:
		return errors.New("another file, not a socket, is there")
	}
	c, err := net.DialTimeout("unix", path, passLimit)
	if err == nil {
		return errors.Join(ErrInUse, c.Close())
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return cause(err)
	}
	return os.Remove(path)
}
