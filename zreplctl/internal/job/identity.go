package job

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
)

// ErrServed says that a connection of the client is being served.
var ErrServed = errors.New("its client is connected")

// KeepClientAway keeps connections of a client from being served until done is
// called, while somebody else changes what is held for it. The error is
// ErrServed while one is.
func KeepClientAway(ctx context.Context, rundir, client string) (done func(), err error) {
	c := &clientLock{rundir: rundir, client: client}
	if err := c.open(); err != nil {
		return nil, fmt.Errorf("cannot lock client %q: %w", client, err)
	}
	done = func() { c.file.Close() }
	err = poll(ctx, turnGrace, func() (bool, error) { return c.lock(unix.F_WRLCK, arriving) })
	if err == nil {
		var free bool
		if free, err = c.lock(unix.F_WRLCK, serving); err == nil && !free {
			err = ErrServed
		}
	}
	if err != nil {
		done()
		return nil, err
	}
	return done, nil
}

// ForgetClient has the serving side forget which job used a client's identity
// last, and returns its name; with dry it only looks.
func ForgetClient(g config.Global, client string, dry bool) (was string, err error) {
	c := &clientLock{rundir: g.RunDir, client: client, state: state.Of(g)}
	if err := c.open(); err != nil {
		return "", err
	}
	defer c.file.Close()
	if free, err := c.lock(unix.F_WRLCK, arriving); err != nil || !free {
		return "", errors.Join(err, ErrServed)
	}
	runs, err := c.read()
	if err != nil {
		return "", err
	}
	was = c.owner(runs).Job
	if dry || was == "" {
		return was, nil
	}
	for i := range runs {
		runs[i].Job = ""
	}
	return was, errors.Join(c.own(clientRun{}), c.write(runs))
}
