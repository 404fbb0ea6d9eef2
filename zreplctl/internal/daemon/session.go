package daemon

import (
	"context"
	"log/slog"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/child"
)

// tally is what the connections of a client's run have moved. Nil counts
// nothing.
type tally struct {
	since       time.Time
	connections int // that are there
	failed      int // that ended otherwise than well
	streams     int
	bytes       uint64
	datasets    map[string]bool
}

// beginSession lets a connection count for its run. The lock is held.
func (c *client) beginSession(conn *connection) {
	if c.sessions == nil {
		c.sessions = map[string]*tally{}
	}
	t := c.sessions[conn.run]
	if t == nil {
		t = &tally{since: conn.since, datasets: map[string]bool{}}
		c.sessions[conn.run] = t
	}
	t.connections++
	conn.tally = t
}

// endSession says what a run moved when the last of its connections has ended.
// One that only looked is of no interest. The lock is held.
func (c *client) endSession(conn *connection) {
	t := conn.tally
	if t == nil {
		return
	}
	if t.connections--; t.connections > 0 {
		return
	}
	delete(c.sessions, conn.run)
	level := slog.LevelInfo
	if t.streams == 0 && t.failed == 0 {
		level = slog.LevelDebug
	}
	c.log().Log(context.Background(), level, "a client's session has ended", "run", conn.run, "bytes", t.bytes, "streams", t.streams,
		"datasets", len(t.datasets), "failed", t.failed, "took", time.Since(t.since).Round(time.Millisecond))
}

// logConnection says how a connection ended, if that is of interest.
func (c *client) logConnection(conn *connection, pid int, end child.Status) {
	level := slog.LevelDebug
	if !end.OK() {
		level = slog.LevelInfo
	}
	c.mu.Lock()
	if t := conn.tally; t != nil && !end.OK() {
		t.failed++
	}
	c.mu.Unlock()
	c.log().Log(context.Background(), level, "a client's connection has ended", "pid", pid, "status", end.String(),
		"took", time.Since(conn.since).Round(time.Millisecond))
}

// count counts a stream.
func (t *tally) count(dataset string) {
	const most = 10_000 // names that are kept
	if t == nil {
		return
	}
	t.streams++
	if len(t.datasets) < most {
		t.datasets[dataset] = true
	}
}

func (t *tally) moved(bytes uint64) {
	if t != nil {
		t.bytes += bytes
	}
}
