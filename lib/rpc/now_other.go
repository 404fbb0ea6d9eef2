//go:build !linux

package rpc

import "golang.org/x/sys/unix"

// pipeBuf is how much a pipe takes without waiting once poll(2) says that it
// can be written to: the least PIPE_BUF there is, FreeBSD's.
const pipeBuf = 512

// readNow and writeNow need what only Linux has: poll(2) comes first.
func readNow(int, []byte) (int, error)  { return 0, unix.ENOSYS }
func writeNow(int, []byte) (int, error) { return 0, unix.ENOSYS }
