package rpc

import (
	"context"
	"sync"
	"time"
)

const (
	// patience is how long a function may take before it is attended to: a
	// short call costs no more than a timer that is set and stopped.
	patience = 50 * time.Millisecond
	// glance is the longest time that a finished call is still watched.
	glance = 250 * time.Millisecond
)

// attendant looks after a call while its function runs: it sends heartbeats,
// and cancels the function's context when the caller has hung up.
type attendant struct {
	w     *wire
	every time.Duration
	timer *time.Timer

	watches sync.WaitGroup

	mu     sync.Mutex
	closed bool
	number uint64 // of the call; 0 between calls
	last   uint64
	silent bool // no heartbeats: something else writes
	out    *outgoing
	cancel context.CancelFunc
}

func (a *attendant) init(limits *Limits, w *wire) {
	a.w, a.every = w, limits.Heartbeat
	a.timer = time.AfterFunc(time.Hour, a.watch)
	a.timer.Stop()
}

func (a *attendant) begin(out *outgoing, cancel context.CancelFunc) {
	a.mu.Lock()
	a.last++
	a.number, a.silent, a.out, a.cancel = a.last, false, out, cancel
	a.mu.Unlock()
	a.timer.Reset(patience)
}

// quiet ends the heartbeats: from its return on, nothing is written.
func (a *attendant) quiet() {
	a.mu.Lock()
	a.silent = true
	a.mu.Unlock()
}

func (a *attendant) end() {
	a.timer.Stop()
	a.mu.Lock()
	a.number, a.out, a.cancel = 0, nil, nil
	a.mu.Unlock()
}

// close ends all watches, which use the connection.
func (a *attendant) close() {
	a.mu.Lock()
	a.closed = true
	a.mu.Unlock()
	a.w.interrupt(ErrClosed)
	a.watches.Wait()
}

// watch runs while a call takes long.
func (a *attendant) watch() {
	a.mu.Lock()
	number := a.number
	if a.closed {
		number = 0
	} else {
		a.watches.Add(1)
		defer a.watches.Done()
	}
	a.mu.Unlock()
	for next := time.Now().Add(a.every); number != 0; {
		gone := a.w.gone(min(glance, max(0, time.Until(next))))
		a.mu.Lock()
		if a.number != number {
			a.mu.Unlock()
			return
		}
		if gone {
			a.cancel()
			a.mu.Unlock()
			return
		}
		if !time.Now().Before(next) {
			if !a.silent {
				a.out.alive()
			}
			next = time.Now().Add(a.every)
		}
		a.mu.Unlock()
	}
}
