package child

import (
	"os"
	"sync"
	"syscall"
)

// guard is a tiny shell that leads the process group of the programs that it
// guards, and kills it when we are gone, even if SIGKILL took us. It alone can
// do two things. It reaches all of the group, which a parent's death signal
// does not; and it keeps the pipes to the programs open until those are dead,
// so that none of them takes our death for the end of its input.
//
// The programs are in its group from their first instruction on: there is no
// moment in which we could die and it did not know of one.
//
// It reads lines from a pipe of which we hold the other end, and kills at the
// end of its input, unless the last line was "end".
type guard struct {
	mu     sync.Mutex
	pid    int // and the group
	pipe   *os.File
	wards  int  // that are not over
	killed bool // with its group
}

const guardScript = `trap '' HUP INT QUIT TERM PIPE ALRM USR1 USR2
while read -r word n; do
	case $word in
	close) eval "exec $n>&-" ;;
	end) exit 0 ;;
	esac
done
kill -9 0`

// maxKept is how many pipes one guard keeps open, as descriptors from
// firstKept on: a shell names none above 9.
const (
	firstKept = 3
	maxKept   = 7
)

// startGuard starts a guard that keeps files open, and returns a ward for each
// of them; one that keeps nothing where there are none.
func startGuard(keep ...*os.File) ([]*ward, error) {
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
	attr := &syscall.ProcAttr{Env: []string{}, Sys: &syscall.SysProcAttr{Setpgid: true}}
	for _, f := range append([]*os.File{r, null, null}, keep...) {
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
	g := &guard{pid: pid, pipe: w, wards: max(1, len(keep))}
	wards := make([]*ward, g.wards)
	for i := range wards {
		wards[i] = &ward{guard: g}
		if len(keep) > 0 {
			wards[i].kept = firstKept + i
		}
	}
	return wards, nil
}

// say writes one line. A guard that is gone cannot be told anything, and
// there is nothing to be done about it: our own exit still signals the child.
func (g *guard) say(line string) { g.pipe.WriteString(line + "\n") }

// end ends the guard without a kill.
func (g *guard) end() {
	g.say("end")
	g.pipe.Close()
	for {
		var ws syscall.WaitStatus
		if _, err := syscall.Wait4(g.pid, &ws, 0, nil); err != syscall.EINTR {
			return
		}
	}
}
