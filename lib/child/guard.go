package child

import (
	"os"
	"strconv"
	"sync"
	"syscall"
)

// guard is a tiny shell that kills a process group when we are gone, even if
// SIGKILL took us. It alone can do two things. It reaches all of the group,
// which a parent's death signal does not; and it keeps the pipe to the
// program open until that is dead, so that the program never takes our death
// for the end of its input.
//
// It reads three lines from a pipe of which we hold the other end: the number
// of the group, a word when the input is complete, and a word when the
// program has ended. At the end of input before that it kills.
type guard struct {
	mu   sync.Mutex
	pid  int
	pipe *os.File
	kept bool
}

const guardScript = `trap '' HUP INT QUIT TERM PIPE
read -r group && [ "$group" != end ] || exit 0
if read -r word; then
	exec 3>&-
	if [ "$word" = end ] || read -r word; then exit 0; fi
fi
kill -9 "-$group"`

func startGuard(keep *os.File) (*guard, error) {
	r, w, err := Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		w.Close()
		return nil, err
	}
	defer null.Close()
	files := []*os.File{r, null, null}
	if keep != nil {
		files = append(files, keep)
	}
	attr := &syscall.ProcAttr{Env: []string{}, Sys: &syscall.SysProcAttr{Setpgid: true}}
	for _, f := range files {
		fd, err := FD(f)
		if err != nil {
			w.Close()
			return nil, err
		}
		attr.Files = append(attr.Files, uintptr(fd))
	}
	pid, _, err := syscall.StartProcess("/bin/sh", []string{"sh", "-c", guardScript}, attr)
	if err != nil {
		w.Close()
		return nil, err
	}
	return &guard{pid: pid, pipe: w, kept: keep != nil}, nil
}

// watch names the group.
func (g *guard) watch(group int) {
	if g != nil {
		g.say(strconv.Itoa(group))
	}
}

// letGo makes the guard close what it keeps open.
func (g *guard) letGo() {
	if g == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.kept && g.pipe != nil {
		g.kept = false
		g.say("eof")
	}
}

// dismiss ends the guard without a kill.
func (g *guard) dismiss() {
	if g == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.pipe == nil {
		return
	}
	g.say("end")
	g.pipe.Close()
	g.pipe = nil
	reapGuard(g.pid)
}

// say writes one line. A guard that is gone cannot be told anything, and
// there is nothing to be done about it: our own exit still signals the child.
func (g *guard) say(word string) { g.pipe.WriteString(word + "\n") }

func reapGuard(pid int) {
	for {
		var ws syscall.WaitStatus
		if _, err := syscall.Wait4(pid, &ws, 0, nil); err != syscall.EINTR {
			return
		}
	}
}
