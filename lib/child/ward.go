package child

import (
	"errors"
	"strconv"
	"syscall"
)

// ward is one program that a guard guards. It is not used after dismiss.
type ward struct {
	guard *guard
	kept  int // the guard's descriptor that it keeps open; 0: none, or closed
	over  bool
}

var errGroupKilled = errors.New("its process group was killed")

// start runs f, which starts the program in the guard's group, unless that was
// killed: the program would be in it without a guard.
func (w *ward) start(f func() error) error {
	if w == nil {
		return f()
	}
	w.guard.mu.Lock()
	defer w.guard.mu.Unlock()
	if w.guard.killed {
		return errGroupKilled
	}
	return f()
}

// group is the process group of a program that is to have one.
func (w *ward) group() int {
	if w == nil {
		return 0 // one of its own
	}
	return w.guard.pid
}

// signal signals the group, in which there may be others of the guard's wards.
// SIGKILL ends the guard, too, and what it keeps open.
func (w *ward) signal(sig syscall.Signal) {
	w.guard.mu.Lock()
	defer w.guard.mu.Unlock()
	if w.over {
		return
	}
	w.guard.killed = w.guard.killed || sig == syscall.SIGKILL
	syscall.Kill(-w.guard.pid, sig)
}

// letGo makes the guard close what it keeps open.
func (w *ward) letGo() {
	if w == nil {
		return
	}
	w.guard.mu.Lock()
	defer w.guard.mu.Unlock()
	if w.kept != 0 && !w.over {
		w.guard.say("close " + strconv.Itoa(w.kept))
		w.kept = 0
	}
}

// dismiss ends the watch without a kill, and the guard with its last ward.
func (w *ward) dismiss() {
	if w == nil {
		return
	}
	w.letGo()
	w.guard.mu.Lock()
	defer w.guard.mu.Unlock()
	if w.over {
		return
	}
	w.over = true
	if w.guard.wards--; w.guard.wards == 0 {
		w.guard.end()
	}
}
