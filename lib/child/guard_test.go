package child

import (
	"context"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// fed starts a script with an input of its own, and returns its output.
func fed(t *testing.T, inputs *Inputs, script string) (p *Process, in, out *os.File) {
	t.Helper()
	input, err := inputs.Next()
	if err != nil {
		t.Fatal(err)
	}
	out, outEnd, err := Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer outEnd.Close()
	p = sh(t, context.Background(), script, func(c *Cmd) { c.Input, c.Stdout = input, outEnd })
	return p, input.W, out
}

// The guard kills the groups when we are gone, and nothing else does: while
// they live, what it keeps open stays open.
func TestGuard(t *testing.T) {
	const n = maxKept
	inputs := NewInputs(n, true)
	var programs []*Process
	var outs []*os.File
	for i := range n {
		p, in, out := fed(t, inputs, "cat | cat; echo finished")
		programs, outs = append(programs, p), append(outs, out)
		if i > 0 { // that one gets nothing
			in.WriteString("hello\n")
		}
		in.Close() // our death closes all
	}
	programs[0].ward.guard.pipe.Close()
	for i, p := range programs {
		said, _ := io.ReadAll(outs[i])
		// What it was given may have come through before; its end must not.
		if s := p.Wait(); s.Signal != syscall.SIGKILL || strings.Contains(string(said), "finished") {
			t.Errorf("%v, and it said %q", s, said)
		}
	}
}

// After a kill no program is started in the group: it would have no guard.
func TestNoStartAfterKill(t *testing.T) {
	inputs := NewInputs(2, true)
	p, in, _ := fed(t, inputs, "cat")
	p.Kill()
	in.Close()
	second, err := inputs.Next()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Start(context.Background(), Cmd{Args: []string{"cat"}, Input: second, Group: true}); err == nil {
		t.Error("it was started")
	}
	second.W.Close()
	if s := p.Wait(); s.Signal != syscall.SIGKILL {
		t.Error(s)
	}
	gone(t, map[int]bool{p.ward.guard.pid: true})
}

func TestGuardLetsGo(t *testing.T) {
	const n = maxKept + 2 // of two guards
	inputs := NewInputs(n, true)
	guards := map[int]bool{}
	for range n {
		p, in, out := fed(t, inputs, "cat; echo finished")
		p.Finish()
		in.Close()
		said, _ := io.ReadAll(out)
		if s := p.Wait(); !s.OK() || string(said) != "finished\n" {
			t.Errorf("%v, and it said %q", s, said)
		}
		guards[p.ward.guard.pid] = true
	}
	inputs.Close()
	if len(guards) != 2 {
		t.Errorf("%d guards for %d programs", len(guards), n)
	}
	gone(t, guards)
}

// gone complains about guards that are still there.
func gone(t *testing.T, guards map[int]bool) {
	t.Helper()
	for pid := range guards {
		if err := syscall.Kill(pid, 0); err != syscall.ESRCH {
			t.Errorf("the guard is still there: %v", err)
		}
	}
}

// Inputs that are not used, or whose program is not found, keep no guard.
func TestUnusedInputs(t *testing.T) {
	inputs := NewInputs(5, true)
	guards := map[int]bool{}
	for range 3 {
		input, err := inputs.Next()
		if err != nil {
			t.Fatal(err)
		}
		guards[input.ward.guard.pid] = true
		if _, err := Start(context.Background(), Cmd{Args: []string{"no-such-program"}, Input: input, Group: true}); err == nil {
			t.Error("it was started")
		}
		input.W.Close()
	}
	inputs.Close()
	if len(guards) != 1 {
		t.Errorf("%d guards", len(guards))
	}
	gone(t, guards)
}

// A killed program's input ends even before it is seen to be dead, which may
// take until then.
func TestKillEndsInput(t *testing.T) {
	input, err := NewInputs(1, true).Next()
	if err != nil {
		t.Fatal(err)
	}
	fd, _ := FD(input.r)
	second, err := syscall.Dup(fd)
	if err != nil {
		t.Fatal(err)
	}
	r := os.NewFile(uintptr(second), "a second reader")
	p := sh(t, context.Background(), "sleep 100", func(c *Cmd) { c.Input = input })
	defer p.Wait()
	p.Kill()
	input.W.Close()
	ended := make(chan error, 1)
	go func() {
		_, err := r.Read(make([]byte, 1))
		ended <- err
	}()
	select {
	case err := <-ended:
		if err != io.EOF {
			t.Errorf("%v, not the end", err)
		}
	case <-time.After(time.Minute):
		t.Error("it is still open")
	}
}
