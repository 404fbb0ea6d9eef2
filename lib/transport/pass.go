package transport

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/zrepl-tools/zrepl-tools/lib/child"
	"github.com/zrepl-tools/zrepl-tools/lib/fdpass"
)

// AwayError says that nobody listens for a client.
type AwayError struct {
	Path string
	Err  error
}

func (e *AwayError) Error() string { return fmt.Sprintf("cannot reach %q: %v", e.Path, e.Err) }
func (e *AwayError) Unwrap() error { return e.Err }

// ExitStatus is 75: the daemon may come back.
func (e *AwayError) ExitStatus() int { return 75 }

// Hint says what to look at.
func (e *AwayError) Hint() string {
	return "on the other host: does zreplctl daemon run, and does it have a source or push-sink job with this client_identity?"
}

// RefusedError is the daemon's answer to a client that it does not serve.
type RefusedError struct {
	Status int
	Reason string
}

func (e *RefusedError) Error() string   { return "refused: " + e.Reason }
func (e *RefusedError) ExitStatus() int { return e.Status }

// errLost says that the daemon died.
var errLost = errors.New("the daemon went away")

// Pass hands in and out to the daemon that listens at DIR/ID, closes them,
// and waits for it to be done with them. It returns the exit status of what
// served the connection. Errors have their own exit status.
func Pass(ctx context.Context, dir, id string, in, out *os.File) (status int, err error) {
	path, err := socketPath(dir, id)
	if err != nil {
		return 0, &usageError{err}
	}
	if err := fdpass.Check(in, out); err != nil {
		return 0, &usageError{fmt.Errorf("standard input and output are not a connection: %w", err)}
	}
	conn, err := dialPrivate(path)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if err := fdpass.Send(conn, in, out); err != nil {
		var refused *RefusedError // at once
		if _, said := result(conn); errors.As(said, &refused) {
			return 0, refused
		}
		return 0, &AwayError{path, cause(err)}
	}
	// Whoever is at the other end must see the end when the server ends.
	in.Close()
	out.Close()
	status, err = result(conn)
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	if err == io.EOF {
		err = &AwayError{path, errLost}
	}
	return status, err
}

// dialPrivate connects, in a directory that only its owner can enter: a
// socket that others could have put there may be anybody's.
func dialPrivate(path string) (*net.UnixConn, error) {
	info, err := os.Lstat(filepath.Dir(path))
	switch {
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("this user cannot enter the directories above %q", path)
	case err != nil:
		return nil, &AwayError{path, cause(err)}
	case info.Mode().Perm()&0o077 != 0:
		return nil, &openDirectoryError{filepath.Dir(path), info.Mode().Perm()}
	}
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return nil, &AwayError{path, errors.New("nobody listens there")}
	case errors.Is(err, fs.ErrNotExist):
		return nil, &AwayError{path, errors.New("no such socket")}
	case errors.Is(err, syscall.EAGAIN):
		return nil, &AwayError{path, errors.New("too many connections wait there")}
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE), errors.Is(err, syscall.ENOMEM), errors.Is(err, syscall.ENOBUFS):
		return nil, &AwayError{path, cause(err)}
	case err != nil:
		return nil, fmt.Errorf("cannot connect to %q: %w", path, cause(err))
	}
	return conn, nil
}

// result reads the one line that ends a connection.
func result(conn io.Reader) (int, error) {
	line, err := bufio.NewReader(io.LimitReader(conn, 1000)).ReadString('\n')
	if err != nil {
		return 0, io.EOF
	}
	word, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
	number, reason, _ := strings.Cut(rest, " ")
	status, err := strconv.Atoi(number)
	switch {
	case err != nil || status < 0 || status > 255:
		return 0, fmt.Errorf("the daemon says %q", child.Clean(line, 100))
	case word == "end":
		return status, nil
	case word == "no":
		return 0, &RefusedError{max(status, 1), child.Clean(reason, 300)}
	}
	return 0, fmt.Errorf("the daemon says %q", child.Clean(line, 100))
}

// usageError is one of the caller's making.
type usageError struct{ error }

func (e *usageError) Unwrap() error   { return e.error }
func (e *usageError) ExitStatus() int { return 2 }

// cause takes off what only repeats the path.
func cause(err error) error {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return err
}

func oneLine(s string) string { return child.Clean(s, 500) }
