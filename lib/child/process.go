package child

import (
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/clean"
)

// Status is how a program ended.
type Status struct {
	Code   int            // its exit status; 128+n if signal n killed it
	Signal syscall.Signal // 0 if it exited by itself
	Err    error          // it could not be started, or waiting for it failed
	Stderr string         // the cleaned last lines of its stderr, where a Tail was given
}

// OK tells whether the program exited with status 0.
func (s Status) OK() bool { return s.Err == nil && s.Code == 0 }

// String says how it ended, such as "exit status 3" or "killed by signal 9 (killed)".
func (s Status) String() string {
	switch {
	case s.Err != nil:
		return s.Err.Error()
	case s.Signal != 0:
		return fmt.Sprintf("killed by signal %d (%v)", int(s.Signal), s.Signal)
	}
	return "exit status " + strconv.Itoa(s.Code)
}

// Done is closed when the program itself has ended. Its group may still have
// members, and its stderr may still be open.
func (p *Process) Done() <-chan struct{} { return p.done }

// Result is how the program ended, for a trailer: its exit status, the name
// of the signal that killed it or "", and the cleaned tail of its stderr. It
// waits as Wait does, but leaves the process to be killed and waited for.
func (p *Process) Result() (code int, signal, stderr string) {
	s := p.status()
	if s.Signal != 0 {
		signal = SignalName(s.Signal)
	}
	return s.Code, signal, s.Stderr
}

// status waits for the exit and, for a short time, for the end of stderr.
func (p *Process) status() Status {
	<-p.done
	if p.stderrEOF != nil {
		select {
		case <-p.stderrEOF:
		case <-time.After(stderrGrace):
			p.stderr.Close() // ends readStderr
			<-p.stderrEOF
		}
	}
	s := Status{Code: p.end.code, Signal: p.end.signal, Err: p.end.err}
	if p.tail != nil {
		s.Stderr = clean.Lines(p.tail.String())
	}
	return s
}

// Wait waits until the program has ended, reaps it and tells how it ended. It
// waits for the end of its stderr, but not long. What is left of the group of
// a program whose context was cancelled is killed before.
func (p *Process) Wait() Status {
	s := p.status()
	<-p.watched
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.reaped {
		p.ward.dismiss()
		reap(p.pid)
		p.reaped = true
		p.release()
	}
	return s
}

// release closes what is ours.
func (p *Process) release() {
	for _, f := range []*os.File{p.stderr, p.lifeline} {
		if f != nil {
			f.Close()
		}
	}
	p.ward.dismiss()
}

// Finish says that the program was given all of its input: the guard lets go
// of what it kept open.
func (p *Process) Finish() { p.ward.letGo() }

// Kill kills the program by SIGKILL, and all of its group where it has one.
// It does nothing after Wait.
//
// The guard is of that group, and lets go of what it kept open. The end of its
// input wakes a program that the signal does not: a zfs receive was seen to
// sleep in the kernel for good, waiting for more data, with its SIGKILL pending.
func (p *Process) Kill() { p.Signal(syscall.SIGKILL) }

// Signal sends a signal to the program, or to its group where it has one.
// It does nothing after Wait.
func (p *Process) Signal(sig syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.reaped:
	case p.group && p.ward != nil:
		p.ward.signal(sig)
	case p.group:
		syscall.Kill(-p.pid, sig)
	default:
		syscall.Kill(p.pid, sig)
	}
}

// Exited tells, without waiting, whether the program has ended, and its exit
// status then; 128+n if signal n killed it.
func (p *Process) Exited() (code int, ended bool) {
	select {
	case <-p.done:
		return p.end.code, true
	default:
		return 0, false
	}
}
