package frame

import (
	"encoding/json"
	"fmt"
	"io"
	"sync/atomic"
	"time"
)

// Meter tells how much data has moved, once a second and at the end.
type Meter struct {
	Moved   *atomic.Uint64
	Linked  *atomic.Uint64 // the same data, compressed; may be nil
	Ending  *atomic.Bool   // see [ReceiveOptions]; may be nil
	Person  io.Writer      // one line that is written over; may be nil
	Program io.Writer      // one JSON object a line; may be nil
}

// Progress is a line for programs.
type Progress struct {
	Bytes   uint64  `json:"bytes"`          // moved so far
	Link    uint64  `json:"link,omitempty"` // what those are, compressed, if they are
	Rate    float64 `json:"rate"`           // bytes a second, since the line before
	Seconds float64 `json:"seconds"`        // since the beginning
	Ending  bool    `json:"ending"`         // a command has all of its input, and has not ended
	Done    bool    `json:"done"`           // the last line
}

// Run tells until the function it returns is called.
func (m Meter) Run() (stop func()) {
	if m.Person == nil && m.Program == nil {
		return func() {}
	}
	quit, over := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(over)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		begun := time.Now()
		last, lastBytes := begun, uint64(0)
		for done := false; !done; {
			select {
			case <-tick.C:
			case <-quit:
				done = true
			}
			now, bytes := time.Now(), m.Moved.Load()
			p := Progress{Bytes: bytes, Seconds: now.Sub(begun).Seconds(), Done: done, Ending: !done && m.Ending != nil && m.Ending.Load()}
			if m.Linked != nil {
				p.Link = m.Linked.Load()
			}
			p.Rate = float64(bytes-lastBytes) / max(now.Sub(last).Seconds(), 1e-3)
			if done { // of the whole
				p.Rate = float64(bytes) / max(p.Seconds, 1e-3)
			}
			m.tell(p)
			last, lastBytes = now, bytes
		}
	}()
	return func() { close(quit); <-over }
}

func (m Meter) tell(p Progress) {
	if m.Program != nil {
		if b, err := json.Marshal(p); err == nil {
			m.Program.Write(append(b, '\n'))
		}
	}
	if m.Person != nil {
		end := ""
		if p.Link > 0 {
			end = fmt.Sprintf("%4.1fx ", float64(p.Bytes)/float64(p.Link))
		}
		if p.Done {
			end += "\n"
		}
		fmt.Fprintf(m.Person, "\r%10s %12s/s %6.0fs %s", inUnits(float64(p.Bytes)), inUnits(p.Rate), p.Seconds, end)
	}
}

// inUnits writes a number of bytes for a person.
func inUnits(n float64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB"}
	for n >= 1024 && len(units) > 1 {
		n, units = n/1024, units[1:]
	}
	return fmt.Sprintf("%.1f %s", n, units[0])
}
