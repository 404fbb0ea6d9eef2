//go:build !linux

package rpc

// pipeBuf is how much a pipe takes without waiting once poll(2) says that it
// can be written to: the least PIPE_BUF there is, FreeBSD's.
const pipeBuf = 512
