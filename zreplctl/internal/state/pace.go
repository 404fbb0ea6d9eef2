package state

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Pace is a note of when something was done that is done now and then.
type Pace struct {
	dir   Dir
	name  string
	every time.Duration
}

// Pace returns the note of a name.
func (d Dir) Pace(name string, every time.Duration) Pace { return Pace{d, name, every} }

// maxPace bounds a note, in bytes.
const maxPace = 100

// Due reports whether it is time again. The time begins with the first look,
// and anew if the clock was set back.
func (p Pace) Due() bool {
	if p.dir.IsNone() {
		return false
	}
	text, err := p.dir.Read(p.name, maxPace)
	at, bad := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	age := time.Since(time.Unix(at, 0))
	if err != nil || bad != nil || age < 0 {
		p.Done()
		return false
	}
	return age >= p.every
}

// Done notes that it is done now. If that cannot be written, it is done again
// sooner, or never.
func (p Pace) Done() {
	if !p.dir.IsNone() {
		_ = p.dir.Write(p.name, fmt.Appendln(nil, time.Now().Unix()))
	}
}
