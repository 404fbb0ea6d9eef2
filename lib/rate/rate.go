// Package rate lets processes share a rate in bytes a second.
//
// It promises that all who open one file move no more together than the rate
// that the file says, over a second or longer, whoever of them is killed when.
// It does not move anything.
package rate

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"syscall"
	"time"
)

// Limit is a rate that is shared by a file. Nil is no limit.
type Limit struct{ f *os.File }

// text is what the file holds: integers, little-endian.
type text struct {
	rate   int64 // bytes a second; 0 or less: no limit
	credit int64 // bytes that may be sent at once; less than 0: more than that was sent
	last   int64 // when credit was counted: nanoseconds since 1970
}

const size = 24

// burst is how much may be sent at once, as a part of a second's worth.
const burst = 10

// Open opens a file, and makes it if it is missing.
func Open(path string) (*Limit, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW|syscall.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, err
	}
	return &Limit{f}, nil
}

// Close closes the file.
func (l *Limit) Close() error {
	if l == nil {
		return nil
	}
	return l.f.Close()
}

// Set changes the rate for all who share it; 0 is no limit.
func (l *Limit) Set(rate int64) error {
	return l.change(func(t *text) { t.rate = max(0, rate) })
}

// Allowance says how many bytes may be moved now, or how long to wait and ask
// again: never longer than a second, since the rate can change.
func (l *Limit) Allowance(now time.Time) (n int, wait time.Duration, err error) {
	if l == nil {
		return math.MaxInt, 0, nil
	}
	if t, err := l.read(); err != nil || t.rate <= 0 {
		return math.MaxInt, 0, err
	}
	err = l.change(func(t *text) {
		if t.rate <= 0 {
			n = math.MaxInt
			return
		}
		most := max(1, t.rate/burst)
		// A clock that was set adds a burst at most.
		passed := min(max(0, now.UnixNano()-t.last), int64(time.Hour))
		gained := min(float64(passed)/float64(time.Second)*float64(t.rate), math.MaxInt32*1024.)
		if t.last == 0 {
			gained = float64(most)
		}
		if fresh := int64(gained); fresh > 0 || t.last > now.UnixNano() || t.last == 0 {
			t.credit = min(most, t.credit+fresh)
			t.last = now.UnixNano()
		}
		// A tenth of a burst is waited for, so that parts do not get tiny.
		least := max(1, most/10)
		if t.credit >= least {
			n = int(t.credit)
			return
		}
		wait = time.Duration(float64(least-t.credit) / float64(t.rate) * float64(time.Second))
		wait = min(max(wait, time.Millisecond), time.Second)
	})
	return n, wait, err
}

// Spend counts bytes that were moved.
func (l *Limit) Spend(n int) error {
	if l == nil || n == 0 {
		return nil
	}
	return l.change(func(t *text) {
		if t.rate > 0 {
			t.credit -= int64(n)
		}
	})
}

// read reads the file. One that is empty is no limit.
func (l *Limit) read() (t text, err error) {
	var b [size]byte
	n, err := l.f.ReadAt(b[:], 0)
	if n < size {
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return text{}, err
	}
	get := func(at int) int64 { return int64(binary.LittleEndian.Uint64(b[at:])) }
	return text{get(0), get(8), get(16)}, nil
}

// change changes the file while no other process does.
func (l *Limit) change(fn func(*text)) error {
	fd := int(l.f.Fd())
	for {
		err := syscall.Flock(fd, syscall.LOCK_EX)
		if err == nil {
			break
		}
		if err != syscall.EINTR {
			return fmt.Errorf("cannot lock %q: %w", l.f.Name(), err)
		}
	}
	defer syscall.Flock(fd, syscall.LOCK_UN)
	t, err := l.read()
	if err != nil {
		return err
	}
	before := t
	if fn(&t); t == before {
		return nil
	}
	var b [size]byte
	for i, v := range []int64{t.rate, t.credit, t.last} {
		binary.LittleEndian.PutUint64(b[8*i:], uint64(v))
	}
	_, err = l.f.WriteAt(b[:], 0)
	return err
}

// Files is a flag that names a file each time that it is given.
type Files []string

// String implements flag.Value.
func (f *Files) String() string { return strings.Join(*f, " ") }

// Set implements flag.Value.
func (f *Files) Set(path string) error {
	if path == "" {
		return errors.New("a file has a name")
	}
	*f = append(*f, path)
	return nil
}

// All are limits of which each must allow what is moved.
type All []*Limit

// OpenAll opens files.
func OpenAll(paths []string) (all All, err error) {
	for _, path := range paths {
		l, err := Open(path)
		if err != nil {
			all.Close()
			return nil, err
		}
		all = append(all, l)
	}
	return all, nil
}

// Close closes all of them.
func (all All) Close() {
	for _, l := range all {
		l.Close()
	}
}

// Allowance is that of the strictest.
func (all All) Allowance(now time.Time) (n int, wait time.Duration, err error) {
	n = math.MaxInt
	for _, l := range all {
		m, w, err := l.Allowance(now)
		if err != nil {
			return 0, 0, err
		}
		n, wait = min(n, m), max(wait, w)
	}
	if wait > 0 {
		n = 0
	}
	return n, wait, nil
}

// Spend counts bytes against each.
func (all All) Spend(n int) error {
	for _, l := range all {
		if err := l.Spend(n); err != nil {
			return err
		}
	}
	return nil
}
