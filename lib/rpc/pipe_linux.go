package rpc

// pipeBuf is how much a pipe takes without waiting once poll(2) says that it
// can be written to: a page (pipe(7), PIPE_BUF).
const pipeBuf = 4096
