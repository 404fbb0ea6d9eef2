package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/zrepl-tools/zrepl-tools/lib/clean"
)

// Screen is the last lines of a terminal, which are drawn again and again in
// place. What others print meanwhile through Beside appears above them.
type Screen struct {
	out   *Out
	color bool

	mu    sync.Mutex
	drawn int // lines that are there now
}

// ScreenLine is one line of a Screen. SGR is what makes it stand out, as in
// "31"; empty: nothing.
type ScreenLine struct{ Text, SGR string }

// NewScreen makes the screen of a terminal, in colours if the environment does
// not forbid them.
func (o *Out) NewScreen() *Screen {
	return &Screen{out: o, color: os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
}

// Size is how many columns and lines there are; 80 and 24 if the terminal does
// not tell.
func (s *Screen) Size() (columns, lines int) {
	f, ok := s.out.w.(*os.File)
	if !ok {
		return 80, 24
	}
	raw, err := f.SyscallConn()
	if err != nil {
		return 80, 24
	}
	raw.Control(func(fd uintptr) {
		if size, err := unix.IoctlGetWinsize(int(fd), unix.TIOCGWINSZ); err == nil {
			columns, lines = int(size.Col), int(size.Row)
		}
	})
	if columns < 1 || lines < 1 {
		return 80, 24
	}
	return columns, lines
}

// Draw replaces what is there.
func (s *Screen) Draw(lines []ScreenLine) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var b strings.Builder
	b.WriteString(s.erase())
	for _, l := range lines {
		text := clean.Field(l.Text)
		if s.color && l.SGR != "" {
			text = "\x1b[" + l.SGR + "m" + text + "\x1b[0m"
		}
		b.WriteString(text + "\n")
	}
	s.drawn = len(lines)
	_, err := io.WriteString(s.out.w, b.String())
	return err
}

// erase is what takes the lines away.
func (s *Screen) erase() string {
	n := s.drawn
	s.drawn = 0
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("\x1b[%dA\r\x1b[J", n)
}

// Beside has what others print to the same terminal appear above the screen,
// until restore is called.
func (s *Screen) Beside(others ...*Out) (restore func()) {
	var undo []func()
	for _, o := range others {
		if o != nil && o.Terminal() && o != s.out {
			w := o.w
			o.w = &besideScreen{s, w}
			undo = append(undo, func() { o.w = w })
		}
	}
	return func() {
		for _, u := range undo {
			u()
		}
	}
}

type besideScreen struct {
	screen *Screen
	w      io.Writer
}

// Write takes the screen away; it comes back with the next Draw.
func (b *besideScreen) Write(p []byte) (int, error) {
	b.screen.mu.Lock()
	defer b.screen.mu.Unlock()
	if up := b.screen.erase(); up != "" {
		if _, err := io.WriteString(b.screen.out.w, up); err != nil {
			return 0, err
		}
	}
	return b.w.Write(p)
}

// Print writes one line above the screen.
func (s *Screen) Print(line string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := io.WriteString(s.out.w, s.erase()+oneLine(line)+"\n")
	return err
}
