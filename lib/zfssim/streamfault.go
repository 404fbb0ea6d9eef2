package zfssim

import (
	"fmt"
	"io"
	"strconv"
	"time"
)

// sendWriter and receiveReader put the stream faults into a stream.
func (f *faults) sendWriter(w io.Writer) io.Writer {
	for _, s := range f.streamFaults() {
		w = &faultyWriter{w: w, fault: s}
	}
	return w
}

func (f *faults) receiveReader(r io.Reader) io.Reader {
	for _, s := range f.streamFaults() {
		r = &faultyReader{r: r, fault: s}
	}
	return r
}

// linger waits behind the end of a stream.
func (f *faults) linger() {
	if f == nil {
		return
	}
	for _, rule := range f.hit {
		if d, err := time.ParseDuration(rule["linger"]); err == nil {
			time.Sleep(d)
		}
	}
}

type streamFault struct {
	kind string
	at   int64
	wait func() // until the rule is gone
}

func (f *faults) streamFaults() []streamFault {
	if f == nil {
		return nil
	}
	var out []streamFault
	for _, rule := range f.hit {
		for _, kind := range []string{"cut", "corrupt", "rate", "wait", "kill", "nospace"} {
			if text, ok := rule[kind]; ok {
				n, err := strconv.ParseInt(or(text, "0"), 10, 64)
				if err == nil {
					out = append(out, streamFault{kind, n, func() { f.wait(rule) }})
				}
			}
		}
	}
	return out
}

// pass applies a fault to the next bytes of a stream at offset n and says how
// many of them may pass.
func (s streamFault) pass(n int64, p []byte) (int, error) {
	switch {
	case s.kind == "rate":
		time.Sleep(time.Duration(int64(len(p)) * int64(time.Second) / max(s.at, 1)))
	case s.at < n || s.at >= n+int64(len(p)):
	case s.kind == "corrupt":
		p[s.at-n] ^= 0x55
	case s.kind == "cut":
		return int(s.at - n), &faultError{1, "cannot send: stream cut by a fault"}
	case s.kind == "nospace":
		return int(s.at - n), &faultError{1, "cannot receive: out of space"}
	case s.kind == "kill":
		return int(s.at - n), errKill
	}
	return len(p), nil
}

var errKill = fmt.Errorf("killed by a fault")

type faultyWriter struct {
	w     io.Writer
	n     int64
	fault streamFault
}

func (w *faultyWriter) Write(p []byte) (int, error) {
	if at := w.fault.at - w.n; w.fault.kind == "wait" && at >= 0 && at < int64(len(p)) {
		return w.writeAround(p, at)
	}
	q := append([]byte(nil), p...)
	keep, fault := w.fault.pass(w.n, q)
	n, err := w.w.Write(q[:keep])
	w.n += int64(n)
	if err == nil && fault == errKill {
		killCaller()
	}
	if err == nil {
		err = fault
	}
	return n, err
}

// writeAround writes what comes before the place to wait at, and then the rest.
func (w *faultyWriter) writeAround(p []byte, at int64) (int, error) {
	n, err := w.w.Write(p[:at])
	w.n += int64(n)
	if err != nil {
		return n, err
	}
	w.fault.wait()
	m, err := w.w.Write(p[at:])
	w.n += int64(m)
	return n + m, err
}

type faultyReader struct {
	r     io.Reader
	n     int64
	fault streamFault
	err   error
}

func (r *faultyReader) Read(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	if rest := r.fault.at - r.n; r.fault.kind == "wait" && rest == 0 {
		r.fault.wait()
	} else if r.fault.kind == "wait" && rest > 0 {
		p = p[:min(int64(len(p)), rest)]
	}
	n, err := r.r.Read(p)
	keep, fault := r.fault.pass(r.n, p[:n])
	r.n += int64(keep)
	switch {
	case fault == errKill:
		killCaller()
	case fault != nil && r.fault.kind == "cut":
		r.err = io.EOF
	case fault != nil:
		r.err = fault
	default:
		return n, err
	}
	if keep == 0 {
		return 0, r.err
	}
	return keep, nil
}
