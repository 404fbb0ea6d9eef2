package daemon

import (
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
)

// room is how many connections there may be, of all clients, and a descriptor
// in reserve: without one, a client could not even be told that none is left.
type room struct {
	mu      sync.Mutex
	limits  config.Limits
	waiting int // those that are about to pass their descriptors
	used    int
	reserve *os.File
}

func newRoom(limits config.Limits) (*room, error) {
	r := &room{limits: limits}
	var err error
	r.reserve, err = os.Open(os.DevNull)
	return r, err
}

func (r *room) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.reserve != nil {
		r.reserve.Close()
	}
}

// withReserve calls fn while one descriptor more is free than otherwise.
func (r *room) withReserve(fn func() error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.reserve != nil {
		r.reserve.Close()
	}
	err := fn()
	r.reserve, _ = os.Open(os.DevNull)
	return err
}

// allow sets the limits. Connections that are there stay.
func (r *room) allow(limits config.Limits) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.limits = limits
}

// arrive reports whether one more may be about to pass its descriptors.
func (r *room) arrive() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.waiting >= 4*r.limits.Connections {
		return false
	}
	r.waiting++
	return true
}

func (r *room) arrived() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiting--
}

// enter takes a place for a connection of a client that has some already, and
// says why there is none.
func (r *room) enter(has int) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case has >= r.limits.ClientConnections:
		return fmt.Errorf("this client has %d connections already, and client_connections allows no more", has)
	case r.used >= r.limits.Connections:
		return fmt.Errorf("the daemon has %d connections already, and connections allows no more", r.used)
	}
	r.used++
	return nil
}

func (r *room) leave() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.used--
}

// rarely lets one of many messages through, so that nobody can fill the log.
type rarely struct {
	mu     sync.Mutex
	last   time.Time
	missed int
}

const rareEnough = 10 * time.Second

// now reports whether to speak, and how many messages were left out before.
func (r *rarely) now() (missed int, speak bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.last) < rareEnough {
		r.missed++
		return 0, false
	}
	missed, r.missed, r.last = r.missed, 0, time.Now()
	return missed, true
}
