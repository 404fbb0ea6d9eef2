// Package child starts programs that must end before we do, and reports how
// they ended.
//
// A program gets exactly the descriptors that it is given, and no flag of
// theirs is changed. Killing a program kills its process group, if that is not
// ours; programs whose Input comes from the same Inputs may share one. If a
// grandchild keeps a pipe open, nobody waits for it: the package reports how a
// program ended and what it wrote on stderr within a bounded time after the
// program's own exit.
//
// The package does not move data; see package frame.
package child

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// termGrace is how long a program has between SIGTERM and SIGKILL once its
// context is cancelled.
const termGrace = 5 * time.Second

// stderrGrace is how long after a program's exit its stderr is still read,
// where something else holds it open.
const stderrGrace = 500 * time.Millisecond

// Cmd describes a program to start.
type Cmd struct {
	Args          []string   // Args[0] is looked up in $PATH
	Env           []string   // nil: ours
	Stdin, Stdout *os.File   // nil: /dev/null; stay the caller's, to close
	Input         *Input     // in place of Stdin and Guard; its W stays the caller's
	Extra         []*os.File // descriptors 3 and up
	Stderr        *Tail      // nil: inherit ours
	StderrCopy    io.Writer  // optional: stderr is copied there, too
	Group         bool       // a process group other than ours
	Alone         bool       // it gets nothing that we inherited and our programs else do
	Lifeline      bool       // it learns by Watch that we are gone
	Guard         bool       // with Group: it is killed even if we are killed by SIGKILL
	// Grace is how long it has between SIGTERM and SIGKILL once its context is
	// cancelled; 0: 5 seconds.
	Grace time.Duration
}

// Process is a started program. Wait must be called, once or more.
type Process struct {
	pid       int
	group     bool
	done      chan struct{} // closed when it has ended
	end       ended         // valid once done is closed
	mu        sync.Mutex
	reaped    bool // its number may mean somebody else
	tail      *Tail
	stderr    *os.File      // our end, nil where ours is inherited
	stderrEOF chan struct{} // closed when stderr is read to its end
	lifeline  *os.File
	ward      *ward         // nil: it has no guard
	watched   chan struct{} // closed when ctx is not looked at any more
	grace     time.Duration
}

// Start starts a program. Once ctx is cancelled it gets SIGTERM, and SIGKILL
// after its grace; its whole group where it has one. On Linux it
// is also signalled when we die, whatever kills us: SIGTERM if it has a
// lifeline, to end in order, otherwise SIGKILL. It is an error if the program
// is not found or cannot be executed. An Input is used up then, too.
func Start(ctx context.Context, c Cmd) (_ *Process, err error) {
	defer func() {
		if err != nil {
			c.Input.drop()
		}
	}()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if len(c.Args) == 0 || c.Args[0] == "" {
		return nil, errors.New("cannot start a program without a name")
	}
	path, err := exec.LookPath(c.Args[0])
	if err != nil {
		return nil, fmt.Errorf("cannot start %q: %w", c.Args[0], cause(err))
	}
	p := &Process{group: c.Group, done: make(chan struct{}), tail: c.Stderr, grace: cmp.Or(c.Grace, termGrace)}
	if err := p.start(path, c); err != nil {
		return nil, fmt.Errorf("cannot start %q: %w", c.Args[0], cause(err))
	}
	go func() {
		p.end = awaitExit(p.pid)
		close(p.done)
	}()
	p.watched = make(chan struct{})
	if ctx.Done() == nil { // it is never cancelled
		close(p.watched)
		return p, nil
	}
	go func() {
		defer close(p.watched)
		p.endWith(ctx)
	}()
	return p, nil
}

// start makes the descriptors and starts the program.
func (p *Process) start(path string, c Cmd) (err error) {
	var toClose []*os.File // the child's ends, ours only until it is started
	defer func() {
		for _, f := range toClose {
			f.Close()
		}
		if err != nil {
			p.release()
		}
	}()
	if err := p.guard(&c, &toClose); err != nil {
		return err
	}
	files, env, err := p.descriptors(c, &toClose)
	if err != nil {
		return err
	}
	attr := &syscall.ProcAttr{Env: env, Sys: sysProcAttr(c, p.ward.group())}
	for _, f := range files {
		fd, err := FD(f)
		if err != nil {
			return err
		}
		attr.Files = append(attr.Files, uintptr(fd))
	}
	if c.Alone {
		attr.Files = closeInherited(attr.Files)
	}
	err = p.ward.start(func() (err error) {
		p.pid, _, err = syscall.StartProcess(path, c.Args, attr)
		return err
	})
	if err != nil {
		return err
	}
	if p.stderr != nil {
		p.stderrEOF = make(chan struct{})
		go p.readStderr(c)
	}
	return nil
}

// guard gives the program the guard that it is to have.
func (p *Process) guard(c *Cmd, toClose *[]*os.File) error {
	switch {
	case c.Input != nil:
		c.Stdin, p.ward = c.Input.r, c.Input.ward
		*toClose = append(*toClose, c.Stdin)
	case c.Guard && c.Group:
		wards, err := startGuard()
		if err != nil {
			return err
		}
		p.ward = wards[0]
	}
	return nil
}

// descriptors returns what the program gets as its descriptors, from 0 on, and
// its environment, which names that of the lifeline. What was made for it
// alone is added to toClose.
func (p *Process) descriptors(c Cmd, toClose *[]*os.File) (files []*os.File, env []string, err error) {
	env = environment(c.Env)
	for _, std := range []struct {
		file *os.File
		flag int
	}{{c.Stdin, os.O_RDONLY}, {c.Stdout, os.O_WRONLY}} {
		if std.file == nil {
			if std.file, err = os.OpenFile(os.DevNull, std.flag, 0); err != nil {
				return nil, nil, err
			}
			*toClose = append(*toClose, std.file)
		}
		files = append(files, std.file)
	}
	files = append(append(files, os.Stderr), c.Extra...)
	if c.Stderr != nil || c.StderrCopy != nil {
		if p.stderr, files[2], err = PollablePipe(); err != nil {
			return nil, nil, err
		}
		*toClose = append(*toClose, files[2])
	}
	if c.Lifeline {
		r, w, err := Pipe()
		if err != nil {
			return nil, nil, err
		}
		*toClose = append(*toClose, r)
		p.lifeline = w
		env = append(env, lifelineEnv+"="+strconv.Itoa(len(files)))
		files = append(files, r)
	}
	return files, env, nil
}

// readStderr reads to the end of stderr, or until Wait closes it.
func (p *Process) readStderr(c Cmd) {
	defer close(p.stderrEOF)
	var to []io.Writer
	if c.Stderr != nil {
		to = append(to, c.Stderr)
	}
	if c.StderrCopy != nil {
		to = append(to, lossy{c.StderrCopy})
	}
	// Most say nothing or little: 32 KiB for each would only cost.
	io.CopyBuffer(io.MultiWriter(to...), struct{ io.Reader }{p.stderr}, make([]byte, 1<<10))
}

// lossy keeps a broken writer from stopping the program that writes to it.
type lossy struct{ w io.Writer }

func (l lossy) Write(b []byte) (int, error) { l.w.Write(b); return len(b), nil }

// endWith ends the program when ctx is cancelled, and what is left of its
// group where it ended by itself just then.
func (p *Process) endWith(ctx context.Context) {
	select {
	case <-p.done:
	case <-ctx.Done():
	}
	if ctx.Err() != nil {
		p.End(syscall.SIGTERM, p.grace)
	}
}

// cause takes off what only repeats the name of the program.
func cause(err error) error {
	var e *exec.Error
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}

// environment is what to pass on of env, nil being our own: of each variable
// the last, as many programs take the first, and no lifeline, which is for one
// program.
func environment(env []string) []string {
	if env == nil {
		env = os.Environ()
	}
	seen := map[string]bool{lifelineEnv: true}
	var kept []string
	for _, e := range slices.Backward(env) {
		name, _, _ := strings.Cut(e, "=")
		if !seen[name] {
			kept = append(kept, e)
		}
		seen[name] = true
	}
	slices.Reverse(kept)
	return kept
}
