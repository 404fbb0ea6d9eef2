package child

import (
	"bytes"
	"context"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// sh starts a shell script in a group of its own.
func sh(t *testing.T, ctx context.Context, script string, change func(*Cmd)) *Process {
	t.Helper()
	c := Cmd{Args: []string{"sh", "-c", script}, Group: true, Stderr: &Tail{}}
	if change != nil {
		change(&c)
	}
	p, err := Start(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestStatus(t *testing.T) {
	for _, c := range []struct {
		script, want, stderr string
		code                 int
	}{
		{"exit 0", "exit status 0", "", 0},
		{"echo oh dear >&2; exit 3", "exit status 3", "oh dear", 3},
		{"echo one >&2; echo two >&2; kill -9 $$", "killed by signal 9 (killed)", "one\ntwo", 137},
		{"printf 'a\\033[2Jb\\n' >&2; kill -TERM $$", "killed by signal 15 (terminated)", "a[2Jb", 143},
	} {
		s := sh(t, context.Background(), c.script, nil).Wait()
		if s.Code != c.code || s.String() != c.want || s.Stderr != c.stderr || s.OK() != (c.code == 0) {
			t.Errorf("%s: %v, code %d, stderr %q", c.script, s, s.Code, s.Stderr)
		}
	}
	if _, err := Start(context.Background(), Cmd{Args: []string{"no-such-program"}}); err == nil || !strings.Contains(err.Error(), "not found") {
		t.Errorf("no such program: %v", err)
	}
}

// A grandchild that keeps stderr open does not keep Wait waiting.
func TestHeldStderr(t *testing.T) {
	begin := time.Now()
	p := sh(t, context.Background(), "echo said >&2; sleep 60 & exit 5", nil)
	<-p.Done()
	_, _, stderr := p.Result()
	if took := time.Since(begin); took > 45*time.Second || stderr != "said" {
		t.Errorf("took %v, stderr %q", took, stderr)
	}
	p.Kill() // reaches the grandchild, whose parent has ended
	if s := p.Wait(); s.Code != 5 {
		t.Errorf("%v", s)
	}
}

// Cancelling ends the whole group, first in order.
func TestCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	r, w, err := Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p := sh(t, ctx, `trap 'echo trapped; kill $!; exit 9' TERM; sleep 60 & echo ready; wait`, func(c *Cmd) { c.Stdout = w })
	w.Close()
	b := make([]byte, 6)
	io.ReadFull(r, b)
	cancel()
	rest, _ := io.ReadAll(r) // ends when nobody has it open any more
	if s := p.Wait(); s.Code != 9 || string(rest) != "trapped\n" {
		t.Errorf("%v, and it said %q", s, rest)
	}
}

func TestDescriptors(t *testing.T) {
	r, w, err := Pipe()
	if err != nil {
		t.Fatal(err)
	}
	er, ew, err := Pipe()
	if err != nil {
		t.Fatal(err)
	}
	fd, _ := FD(w)
	unix.SetNonblock(fd, true)
	before, _ := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	p := sh(t, context.Background(), "echo out; echo extra >&3; echo $A", func(c *Cmd) {
		c.Stdout, c.Extra, c.Env = w, []*os.File{ew}, []string{"A=b"}
	})
	if s := p.Wait(); !s.OK() {
		t.Error(s)
	}
	after, _ := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	w.Close()
	ew.Close()
	out, _ := io.ReadAll(r)
	extra, _ := io.ReadAll(er)
	if string(out) != "out\nb\n" || string(extra) != "extra\n" || before != after {
		t.Errorf("%q, %q, flags %#x and %#x", out, extra, before, after)
	}
}

// Watch sees that the parent lets go, and leaves no trace for programs below.
func TestLifeline(t *testing.T) {
	if os.Getenv("CHILD_TEST") == "watch" {
		gone := make(chan struct{})
		Watch(func() { close(gone) })
		os.Stdout.WriteString("watching" + os.Getenv(lifelineEnv) + "\n")
		<-gone
		os.Exit(7)
	}
	r, w, err := Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p, err := Start(context.Background(), Cmd{Args: []string{os.Args[0], "-test.run=TestLifeline$"}, Stdout: w,
		Env: append(os.Environ(), "CHILD_TEST=watch"), Lifeline: true, Group: true})
	if err != nil {
		t.Fatal(err)
	}
	w.Close()
	b := make([]byte, 9)
	if _, err := io.ReadFull(r, b); err != nil || string(b) != "watching\n" {
		t.Errorf("%q, %v", b, err)
	}
	p.lifeline.Close() // as our death would
	if s := p.Wait(); s.Code != 7 {
		t.Error(s)
	}
}

func TestTail(t *testing.T) {
	tail := Tail{Max: 20}
	for range 10 {
		tail.Write([]byte("0123456\n"))
	}
	if got := tail.String(); got != "0123456\n0123456\n" {
		t.Errorf("%q", got)
	}
	tail.Write(bytes.Repeat([]byte("x"), 100))
	if got := tail.String(); got != strings.Repeat("x", 20) {
		t.Errorf("%q", got)
	}
}

func TestClean(t *testing.T) {
	for _, c := range []struct {
		in, want string
		max      int
	}{
		{"plain", "plain", 10},
		{"two\nlines\n", "two; lines", 20},
		{"a\x1b[31mb\x07\x00\u202ec\u0085\xff", "a[31mbc", 20},
		{"tab\there", "tab here", 20},
		{strings.Repeat("ä", 10), "äää...", 10},
		{"0123456789abc", "0123456...", 10},
	} {
		if got := Clean(c.in, c.max); got != c.want || len(got) > c.max {
			t.Errorf("%q: %q, not %q", c.in, got, c.want)
		}
	}
}

// Of a variable that is set twice many programs take the first value.
func TestEnvironment(t *testing.T) {
	got := environment([]string{"LC_ALL=de_DE.UTF-8", "A=1", lifelineEnv + "=5", "LC_ALL=C"})
	if want := []string{"A=1", "LC_ALL=C"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// What is left of a cancelled program's group ends with it, also when the
// program itself ends at once.
func TestCancelledGroup(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	r, w, err := Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	p := sh(t, ctx, "(trap '' TERM; echo; exec sleep 60) & exec sleep 60", func(c *Cmd) { c.Stdout = w })
	w.Close()
	if _, err := r.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	cancel()
	p.Wait()
	ended := make(chan struct{})
	go func() { io.ReadAll(r); close(ended) }()
	select {
	case <-ended:
	case <-time.After(45 * time.Second):
		t.Error("a member of its group lives on")
		unix.Kill(-p.pid, unix.SIGKILL)
	}
}
