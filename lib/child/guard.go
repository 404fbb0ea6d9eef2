package child

import (
	"os"
	"sync"
	"syscall"
)

// guard is a tiny shell that kills process groups when we are gone, even if
// SIGKILL took us. It alone can do two things. It reaches all of a group,
// which a parent's death signal does not; and it keeps the pipes to the
// programs open until those are dead, so that none of them takes our death for
// the end of its input.
//
// It reads lines from a pipe of which we hold the other end, and kills at the
// end of its input, unless the last line was "end".
type guard struct {
	mu    sync.Mutex
	pid   int
	pipe  *os.File
	wards int // that are not over
}

// The guard waits a moment if we died while we started a program whose group
// it does not know: that program's own death signal comes after the end of its
// input would.
const guardScript = `trap '' HUP INT QUIT TERM PIPE
groups= starting=0
while read -r word n; do
	case $word in
	start) starting=$((starting + 1)) ;;
	failed) starting=$((starting - 1)) ;;
	kill) starting=$((starting - 1)) groups="$groups $n" ;;
	close) eval "exec $n>&-" ;;
	spare)
		others=
		for group in $groups; do [ "$group" = "$n" ] || others="$others $group"; done
		groups=$others
		;;
	end) exit 0 ;;
	esac
done
for group in $groups; do kill -9 "-$group"; done
[ "$starting" = 0 ] || sleep 1`

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
