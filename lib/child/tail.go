package child

import (
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
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

// Clean makes one harmless line of text that came from elsewhere, for a
// terminal or a log: lines are joined by "; ", control characters, invalid
// UTF-8 and characters that change the direction of writing are dropped, and
// what is longer than max bytes is cut and ends in "...".
func Clean(text string, max int) string {
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(strip(line)); line != "" {
			lines = append(lines, line)
		}
	}
	return cut(strings.Join(lines, "; "), max)
}

// Lines cleans each line of text as Clean does and keeps the lines apart. The
// last one has no newline behind it.
func Lines(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(strings.TrimRight(strip(line), " "))
		b.WriteByte('\n')
	}
	return strings.Trim(b.String(), "\n")
}

// strip drops what a terminal might obey; a tab becomes a space.
func strip(line string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case r == utf8.RuneError, unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r), r == '\u2028', r == '\u2029':
			return -1
		}
		return r
	}, line)
}

// cut shortens to max bytes, at the beginning of a character.
func cut(s string, max int) string {
	if len(s) <= max {
		return s
	}
	end := max - len("...")
	if end < 0 {
		return ""
	}
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + "..."
}
