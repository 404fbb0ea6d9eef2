package job

import (
	"context"
	"errors"

	"golang.org/x/sys/unix"

	"github.com/zrepl-tools/zrepl-tools/lib/cursor"
	"github.com/zrepl-tools/zrepl-tools/lib/endpoint"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
)

// back is how a sink whose configuration says "restore: allow" gives its client
// back what that has sent.
func (p Programs) back(j *config.Job) *endpoint.Back {
	return &endpoint.Back{
		Tag:       func(target string) string { return cursor.BackTag(j.Name, target) },
		Target:    func(tag string) (string, bool) { return cursor.BackOf(j.Name, tag) },
		SendFrame: p.sendFrame(j), Compress: j.Compress, Stall: j.Stall,
	}
}

// pinsAlone keeps other connections of the client from moving holds of restores.
func (c *clientLock) pinsAlone(ctx context.Context) (done func(), err error) {
	err = poll(ctx, turnGrace, func() (bool, error) { return c.lock(unix.F_WRLCK, pinning) })
	if errors.Is(err, errPatience) {
		err = &transfer.LinkError{Err: errors.New("another connection of this client takes long to hold snapshots")}
	}
	return func() { c.lock(unix.F_UNLCK, pinning) }, err
}
