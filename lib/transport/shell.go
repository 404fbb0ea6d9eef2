package transport

import (
	"slices"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/child"
)

// isShell reports whether these are a shell's words on what was sent first.
func (c *Conn) isShell(said string) bool {
	said = strings.ReplaceAll(said, `"`, "")
	return slices.ContainsFunc(c.marks, func(mark string) bool { return strings.Contains(said, mark) })
}

// shellWatch ends a connection as soon as a shell answers: it might wait for more
// commands, while its user waits for a server.
type shellWatch struct {
	conn *Conn
	tail *child.Tail // has what was said so far
}

// Write never fails.
func (w *shellWatch) Write(p []byte) (int, error) {
	if w.conn.isShell(w.tail.String()) {
		w.conn.end()
	}
	return len(p), nil
}
