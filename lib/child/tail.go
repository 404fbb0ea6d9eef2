package child

import (
	"strings"
	"sync"

	"github.com/zrepl-tools/zrepl-tools/lib/clean"
)

// defaultTail is Max of a Tail that does not set it.
const defaultTail = 8 << 10

// Tail is a writer that keeps the last bytes written to it, Max of them (8
// KiB if that is 0). It may be used from several goroutines.
type Tail struct {
	Max int

	mu  sync.Mutex
	buf []byte
	cut bool
}

// Write never fails.
func (t *Tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	max := t.Max
	if max <= 0 {
		max = defaultTail
	}
	if len(p) >= max {
		t.cut = t.cut || len(t.buf) > 0 || len(p) > max
		t.buf = append(t.buf[:0], p[len(p)-max:]...)
		return len(p), nil
	}
	if over := len(t.buf) + len(p) - max; over > 0 {
		t.buf = append(t.buf[:0], t.buf[over:]...)
		t.cut = true
	}
	t.buf = append(t.buf, p...)
	return len(p), nil
}

// Cut tells whether more was written than is kept.
func (t *Tail) Cut() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.cut
}

// String is what is kept, as it was written. Where the beginning was lost it
// starts with a whole line, if there is one.
func (t *Tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := string(t.buf)
	if t.cut {
		if i := strings.IndexByte(s, '\n'); i >= 0 && i+1 < len(s) {
			s = s[i+1:]
		}
	}
	return s
}

// Clean is clean.Line: one harmless line of text that came from elsewhere.
func Clean(text string, max int) string { return clean.Line(text, max) }
