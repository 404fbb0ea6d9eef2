package transport

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/zrepl-tools/zrepl-tools/lib/fdpass"
	"github.com/zrepl-tools/zrepl-tools/lib/identity"
)

// passLimit is how long a client has to pass its descriptors.
const passLimit = 5 * time.Second

// tryLater is EX_TEMPFAIL of sysexits(3).
const tryLater = 75

// ErrInUse says that another process listens at a socket.
var ErrInUse = errors.New("another process listens there")

// Listener is the socket of one client identity.
type Listener struct {
	path string
	l    *Socket
}

// Listen makes the socket DIR/ID. The directory is created if it is missing;
// nobody but its owner may enter it, for whoever can connect is the client.
// If root listens in another user's directory, the socket is that user's, who
// is then the one to connect. A socket that nobody listens at any more is
// replaced.
func Listen(dir, id string) (*Listener, error) {
	path, err := socketPath(dir, id)
	if err != nil {
		return nil, err
	}
	l, err := ListenUnix(path)
	if err != nil {
		return nil, err
	}
	return &Listener{path: path, l: l}, nil
}

// socketPath checks an identity and where its socket is.
func socketPath(dir, id string) (string, error) {
	if err := identity.Check(id); err != nil {
		return "", fmt.Errorf("bad client identity %q: %w", id, err)
	}
	path := filepath.Join(dir, id)
	return path, checkLength(path)
}

// checkLength: sun_path is 108 bytes on Linux and illumos, 104 on FreeBSD,
// with its NUL.
func checkLength(path string) error {
	const most = len(unix.RawSockaddrUnix{}.Path) - 1
	if len(path) > most {
		return fmt.Errorf("the path of the socket %q is %d bytes long: the system allows %d", path, len(path), most)
	}
	return nil
}

// privateDirectory makes sure that only its owner can enter a directory, and
// returns the owner.
func privateDirectory(dir string) (owner int, err error) {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return 0, err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return 0, err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return 0, err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !info.IsDir():
		return 0, fmt.Errorf("%q is no directory", dir)
	case info.Mode().Perm()&0o077 != 0:
		return 0, &openDirectoryError{dir, info.Mode().Perm()}
	case !ok || int(stat.Uid) != os.Geteuid() && os.Geteuid() != 0:
		return 0, fmt.Errorf("directory %q belongs to another user", dir)
	}
	return int(stat.Uid), nil
}

type openDirectoryError struct {
	dir  string
	mode fs.FileMode
}

func (e *openDirectoryError) Error() string {
	return fmt.Sprintf("others than its owner can enter directory %q (mode %04o)", e.dir, e.mode)
}

// ExitStatus is that of a configuration error.
func (e *openDirectoryError) ExitStatus() int { return 2 }

// Hint is what to do about it.
func (e *openDirectoryError) Hint() string { return "chmod 700 " + e.dir }

// Close stops listening and removes the socket.
func (l *Listener) Close() error { return l.l.Close() }

// Path is where the socket is.
func (l *Listener) Path() string { return l.path }

// Accept waits for a client to connect. It returns net.ErrClosed once the
// listener is closed or ctx is cancelled.
func (l *Listener) Accept(ctx context.Context) (*Passed, error) {
	defer context.AfterFunc(ctx, func() { l.l.Close() })()
	conn, err := l.l.AcceptUnix()
	if err != nil {
		return nil, err
	}
	return &Passed{conn: conn}, nil
}

// TurnAway takes a connection that waits, if there is one, and refuses it.
func (l *Listener) TurnAway(status int, reason string) error {
	const moment = 50 * time.Millisecond
	if err := l.l.SetDeadline(time.Now().Add(moment)); err != nil {
		return err
	}
	defer l.l.SetDeadline(time.Time{})
	conn, err := l.l.AcceptUnix()
	if err != nil {
		return err
	}
	(&Passed{conn: conn}).Refuse(status, reason)
	return nil
}

// Passed is a client's connection. It is told there how things ended.
type Passed struct {
	In, Out *os.File // once Receive has returned
	Peer    Peer

	conn *net.UnixConn
}

// Receive takes the descriptors; a client has five seconds to pass them.
// After an error everything is closed and the client has been told.
func (p *Passed) Receive() error {
	in, out, err := fdpass.Receive(p.conn, passLimit)
	switch {
	case errors.Is(err, fdpass.ErrNoRoom):
		p.Refuse(tryLater, "the daemon has no descriptors left")
		return err
	case err != nil:
		p.Refuse(1, "bad descriptors: "+err.Error())
		return err
	}
	p.In, p.Out, p.Peer = in, out, peerOf(p.conn)
	return nil
}

// Gone is closed when the client has gone, or is told the end.
func (p *Passed) Gone() <-chan struct{} {
	gone := make(chan struct{})
	p.conn.SetReadDeadline(time.Time{})
	go func() {
		defer close(gone)
		var b [1]byte
		p.conn.Read(b[:]) // a client says nothing more
	}()
	return gone
}

// Refuse closes the connection with an exit status and a reason.
func (p *Passed) Refuse(status int, reason string) { p.finish("no", status, reason) }

// End closes the connection after it was served.
func (p *Passed) End(status int) { p.finish("end", status, "") }

func (p *Passed) finish(word string, status int, reason string) {
	for _, f := range []*os.File{p.In, p.Out} {
		if f != nil {
			f.Close()
		}
	}
	p.conn.SetWriteDeadline(time.Now().Add(passLimit))
	fmt.Fprintf(p.conn, "%s %d %s\n", word, status, oneLine(reason))
	p.conn.Close()
}

// CloseFiles closes the descriptors here, once a child has them.
func (p *Passed) CloseFiles() {
	p.In.Close()
	p.Out.Close()
}

// Peer is who connected; -1 where the system does not tell.
type Peer struct{ PID, UID int }
