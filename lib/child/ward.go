package child

import "strconv"

// ward is one program that a guard watches. Its methods do nothing for a
// program without a guard, and after dismiss.
type ward struct {
	guard *guard
	kept  int // the guard's descriptor that it keeps open; 0: none, or closed
	group int // 0: not known to the guard
	over  bool
}

// tell runs f with the guard locked.
func (w *ward) tell(f func(*guard)) {
	if w == nil {
		return
	}
	w.guard.mu.Lock()
	defer w.guard.mu.Unlock()
	if !w.over {
		f(w.guard)
	}
}

// starting says that the program is about to be started.
func (w *ward) starting() { w.tell(func(g *guard) { g.say("start") }) }

// failed says that it was not.
func (w *ward) failed() { w.tell(func(g *guard) { g.say("failed") }) }

// watch names the program's group.
func (w *ward) watch(group int) {
	w.tell(func(g *guard) {
		w.group = group
		g.say("kill " + strconv.Itoa(group))
	})
}

// letGo makes the guard close what it keeps open.
func (w *ward) letGo() {
	w.tell(func(g *guard) {
		if w.kept != 0 {
			g.say("close " + strconv.Itoa(w.kept))
			w.kept = 0
		}
	})
}

// dismiss ends the watch without a kill, and the guard with its last ward.
func (w *ward) dismiss() {
	w.letGo()
	w.tell(func(g *guard) {
		w.over = true
		if w.group != 0 {
			g.say("spare " + strconv.Itoa(w.group))
		}
		if g.wards--; g.wards == 0 {
			g.end()
		}
	})
}
