package job

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/endpoint"
	"github.com/zrepl-tools/zrepl-tools/lib/rpc"
	"github.com/zrepl-tools/zrepl-tools/lib/transport"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
)

// runID is a new name for a run: 16 hex digits.
func runID() string {
	var b [8]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// leastReply is how long a reply may take at least: the list of a big pool
// takes minutes on a slow disk, whatever the job says about streams.
const leastReply = 15 * time.Minute

// dial makes one connection of a job.
func dial(ctx context.Context, j *config.Job, daemon bool, reply time.Duration) (*endpoint.Link, error) {
	c := j.Connect
	conn, err := transport.Dial(ctx, transport.Connect{Type: c.Type, Host: c.Host, User: c.User, Port: c.Port,
		IdentityFile: c.IdentityFile, Options: c.Options, Command: c.Command, Daemon: daemon, ShellMarks: rpc.ShellMarks})
	if err != nil {
		return nil, err
	}
	client, err := rpc.NewConn(conn.In, conn.Out)
	if err != nil {
		conn.Close()
		return nil, err
	}
	client.EndShell = true
	client.Limits.Reply = max(leastReply, patience*j.Stall, reply)
	return &endpoint.Link{Client: client, Explain: func(err error) error {
		client.Close()
		if err == nil {
			return conn.Close()
		}
		return conn.Explain(err)
	}}, nil
}
