package systemd

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"syscall"
)

// InJournal reports whether a descriptor goes to the journal, which then understands
// priorities: JOURNAL_STREAM names the device and the inode of that stream, and
// programs further down the line have it, too, with other files.
func InJournal(fd int) bool {
	var dev, ino uint64
	if n, _ := fmt.Sscanf(os.Getenv("JOURNAL_STREAM"), "%d:%d", &dev, &ino); n != 2 {
		return false
	}
	var stat syscall.Stat_t
	return syscall.Fstat(fd, &stat) == nil && uint64(stat.Dev) == dev && uint64(stat.Ino) == ino
}

// priorities is a handler of logs that begins each line with its priority, as in
// sd-daemon(3).
type priorities struct {
	slog.Handler
	out *prefixed
}

// prefixed writes one line at a time, behind the prefix that was set for it.
type prefixed struct {
	mu     sync.Mutex
	w      io.Writer
	prefix string
}

func (p *prefixed) Write(line []byte) (int, error) {
	_, err := p.w.Write(append([]byte(p.prefix), line...))
	return len(line), err
}

// Priorities wraps the handler that make returns, which must write a record at
// once.
func Priorities(w io.Writer, make func(io.Writer) slog.Handler) slog.Handler {
	out := &prefixed{w: w}
	return &priorities{make(out), out}
}

// Handle implements slog.Handler.
func (h *priorities) Handle(ctx context.Context, r slog.Record) error {
	h.out.mu.Lock()
	defer h.out.mu.Unlock()
	h.out.prefix = prefixOf(r.Level)
	return h.Handler.Handle(ctx, r)
}

func prefixOf(level slog.Level) string {
	switch {
	case level >= slog.LevelError:
		return "<3>"
	case level >= slog.LevelWarn:
		return "<4>"
	case level >= slog.LevelInfo:
		return "<6>"
	}
	return "<7>"
}

// WithAttrs implements slog.Handler.
func (h *priorities) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &priorities{h.Handler.WithAttrs(attrs), h.out}
}

// WithGroup implements slog.Handler.
func (h *priorities) WithGroup(name string) slog.Handler {
	return &priorities{h.Handler.WithGroup(name), h.out}
}
