package transport

import (
	"net"

	"golang.org/x/sys/unix"
)

func peerOf(conn *net.UnixConn) Peer {
	peer := Peer{-1, -1}
	raw, err := conn.SyscallConn()
	if err != nil {
		return peer
	}
	raw.Control(func(fd uintptr) {
		if c, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
			peer = Peer{int(c.Pid), int(c.Uid)}
		}
	})
	return peer
}
