package daemon

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"sync"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/child"
)

const (
	// maxLine is how much of a line for people is kept, in bytes.
	maxLine = 64 << 10
	// maxReport is how long a line of progress may be: of a hundred thousand
	// datasets.
	maxReport = 32 << 20
)

// lineWriter gives each whole line that is written to it to a function.
type lineWriter struct {
	mu   sync.Mutex
	part []byte
	line func(string)
}

func (w *lineWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := len(p)
	for {
		end := bytes.IndexByte(p, '\n')
		if end < 0 {
			break
		}
		w.line(string(append(w.part, p[:end]...)))
		w.part, p = w.part[:0], p[end+1:]
	}
	if room := maxLine - len(w.part); room > 0 {
		w.part = append(w.part, p[:min(room, len(p))]...)
	}
	return n, nil
}

// report is a pipe on which a child says something, a line at a time.
type report struct {
	child *os.File // for the child; closed here by started
	done  chan struct{}
}

// newReport calls line for each line of at most limit bytes, on one goroutine.
func newReport(limit int, line func([]byte)) (*report, error) {
	r, w, err := child.Pipe()
	if err != nil {
		return nil, err
	}
	p := &report{child: w, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		defer r.Close()
		lines := bufio.NewScanner(r)
		lines.Buffer(nil, limit)
		for lines.Scan() {
			line(lines.Bytes())
		}
		io.Copy(io.Discard, r) // after a line that is too long
	}()
	return p, nil
}

// started closes the child's end here.
func (p *report) started() { p.child.Close() }

// heard waits until all was read that a child said that has ended. It does not
// wait for a grandchild that holds the pipe.
func (p *report) heard() bool {
	select {
	case <-p.done:
		return true
	case <-time.After(time.Second):
		return false
	}
}
