// Package fdpass hands the two ends of a connection, one descriptor to read
// and one to write, from one process to another over a Unix stream socket
// (SCM_RIGHTS, unix(7)).
//
// Receive promises to return exactly one such pair, pipes or connected stream
// sockets, one open for reading and one for writing, and to close everything
// else that the sender passed. It reads nothing from the descriptors, and
// never changes their O_NONBLOCK, which the two processes share.
package fdpass

import (
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// magic accompanies the descriptors: a control message travels with at least
// one byte, and these say what it is and in which version.
const magic = "zfd1"

// room is how many descriptors one message may hold before the kernel cuts
// it: more than two, so that a sender of three is told so, and none of them
// is left open.
const room = 16

// ErrNoRoom says that this process, or the system, had no room for the
// descriptors that came: the sender may try again later.
var ErrNoRoom = errors.New("no descriptors are left here")

// Send passes in and out over conn. Both stay open here. The error of a
// descriptor that Receive would refuse is found before anything is sent.
func Send(conn *net.UnixConn, in, out *os.File) error {
	if err := Check(in, out); err != nil {
		return err
	}
	n, _, err := conn.WriteMsgUnix([]byte(magic), unix.UnixRights(int(in.Fd()), int(out.Fd())), nil)
	if err == nil && n != len(magic) {
		err = fmt.Errorf("short write of %d bytes", n)
	}
	return err
}

// Receive reads the pair that Send passed, waiting at most within. The caller
// owns both files, which are close-on-exec. After an error nothing is open.
func Receive(conn *net.UnixConn, within time.Duration) (in, out *os.File, err error) {
	if err := conn.SetReadDeadline(time.Now().Add(within)); err != nil {
		return nil, nil, err
	}
	var text [len(magic) + 1]byte
	control := make([]byte, unix.CmsgSpace(room*4))
	// On all systems net asks for close-on-exec, or sets it.
	n, controlLen, flags, _, err := conn.ReadMsgUnix(text[:], control)
	if err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = fmt.Errorf("no descriptors within %s", within)
		}
		if errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) || errors.Is(err, unix.EMSGSIZE) {
			err = ErrNoRoom
		}
		return nil, nil, err
	}
	fds, err := rights(control[:controlLen])
	switch {
	case err != nil:
	case flags&unix.MSG_CTRUNC != 0 && len(fds) < room:
		err = ErrNoRoom
	case flags&unix.MSG_CTRUNC != 0:
		err = fmt.Errorf("truncated control message: more than %d descriptors instead of two", room)
	case string(text[:n]) != magic:
		err = fmt.Errorf("%q instead of %q", text[:n], magic)
	case len(fds) != 2:
		err = fmt.Errorf("%d descriptors instead of two", len(fds))
	}
	if err != nil {
		closeAll(fds)
		return nil, nil, err
	}
	in, out = os.NewFile(uintptr(fds[0]), "passed-in"), os.NewFile(uintptr(fds[1]), "passed-out")
	if err := Check(in, out); err != nil {
		return nil, nil, errors.Join(err, in.Close(), out.Close())
	}
	return in, out, nil
}

// rights returns every descriptor of every control message, also where one of
// them is wrong, so that all can be closed.
func rights(control []byte) (fds []int, err error) {
	messages, err := unix.ParseSocketControlMessage(control)
	for i := range messages {
		if messages[i].Header.Level != unix.SOL_SOCKET || messages[i].Header.Type != unix.SCM_RIGHTS {
			err = errors.New("a control message that holds no descriptors")
			continue
		}
		more, problem := unix.ParseUnixRights(&messages[i])
		fds = append(fds, more...)
		if problem != nil {
			err = problem
		}
	}
	return fds, err
}

func closeAll(fds []int) {
	for _, fd := range fds {
		unix.Close(fd)
	}
}
