package hook

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/child"
	"github.com/zrepl-tools/zrepl-tools/lib/clean"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
)

// call is one call of a hook.
type call struct {
	when     string // the key of its list
	hook     *config.Hook
	datasets []string
	snapshot string
	status   string
	why      string
}

// fail says of which call an error is.
func (c *call) fail(err error) error {
	what := c.when + " hook \"" + c.hook.Command[0] + "\""
	if len(c.datasets) > 0 {
		what += " for " + shortly(c.datasets)
	}
	if c.status == Unknown { // the run's own call can fail in the same way
		what += ", which an earlier run left"
	}
	return fmt.Errorf("cannot run %s: %w", what, err)
}

const (
	maxOutput = 2 << 10  // bytes kept of what a command prints
	maxShown  = 1000     // bytes shown of that, and of an error in the environment
	maxNames  = 64 << 10 // bytes of ZREPL_DATASETS: systems allow 128 KiB
	killGrace = 2 * time.Second
	pipeGrace = 500 * time.Millisecond // for output that something else keeps open
)

// The variables of a command.
var variables = []string{"ZREPL_HOOK", "ZREPL_JOB", "ZREPL_DATASET", "ZREPL_DATASETS", "ZREPL_SNAPSHOT", "ZREPL_STATUS", "ZREPL_ERROR"}

// environment is ours without what the daemon tells its children, and with all
// variables of a hook, empty ones too: what was there before means nothing.
// Errors can quote another host, and are cleaned.
func (c *call) environment(job string) []string {
	one, all := "", strings.Join(c.datasets, "\n")
	if c.hook.Each && len(c.datasets) == 1 {
		one = c.datasets[0]
	}
	values := []string{c.when, job, one, all, c.snapshot, c.status, clean.Line(c.why, maxShown)}
	var env []string
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "ZREPLCTL_DAEMON_") {
			env = append(env, e)
		}
	}
	for i, name := range variables {
		env = append(env, name+"="+values[i])
	}
	return env
}

// fits says why a command cannot be given its datasets. A script that goes
// through an empty list freezes nothing, and succeeds.
func (c *call) fits() error {
	size := len(c.datasets) - 1
	for _, ds := range c.datasets {
		size += len(ds)
	}
	if size <= maxNames {
		return nil
	}
	return fmt.Errorf("the names of its %d datasets have %d bytes, and ZREPL_DATASETS holds at most %d: "+
		"set each_dataset: true, or narrow its datasets", len(c.datasets), size, maxNames)
}

// process is a command that runs.
type process struct {
	*child.Process
	cancel context.CancelFunc
	stdin  *os.File // of one that holds; nil otherwise
	stdout *os.File
	output *child.Tail
	ready  chan struct{} // closed when it has printed "ready"
	eof    chan struct{} // closed when its output is read
}

// start starts a command in a process group of its own, which ends with this
// process, whatever ends that.
func (h *Hooks) start(ctx context.Context, c *call) (_ *process, err error) {
	if err := c.fits(); err != nil {
		return nil, err
	}
	p := &process{output: &child.Tail{Max: maxOutput}, ready: make(chan struct{}), eof: make(chan struct{})}
	ctx, p.cancel = context.WithCancel(ctx)
	var stdin, stdout *os.File
	defer func() {
		closeAll(stdin, stdout)
		if err != nil {
			p.cancel()
			closeAll(p.stdin, p.stdout)
		}
	}()
	if c.hook.Hold {
		if stdin, p.stdin, err = child.Pipe(); err != nil {
			return nil, err
		}
	}
	if p.stdout, stdout, err = child.PollablePipe(); err != nil {
		return nil, err
	}
	p.Process, err = child.Start(ctx, child.Cmd{Args: c.hook.Command, Env: c.environment(h.Job), Stdin: stdin, Stdout: stdout,
		Stderr: p.output, Group: true, Guard: true, Grace: killGrace})
	if err != nil {
		return nil, err
	}
	go p.read()
	return p, nil
}

func closeAll(files ...*os.File) {
	for _, f := range files {
		if f != nil {
			f.Close()
		}
	}
}

// read reads the command's output to its end, so that it never has to wait.
func (p *process) read() {
	defer close(p.eof)
	told, partial := false, false // partial: this piece is the rest of a long line
	lines := bufio.NewReaderSize(p.stdout, maxOutput)
	for {
		line, err := lines.ReadSlice('\n')
		if !told && !partial && err == nil && string(bytes.TrimRight(line, "\r\n")) == "ready" {
			told = true
			close(p.ready)
		} else {
			p.output.Write(line)
		}
		partial = errors.Is(err, bufio.ErrBufferFull)
		if err != nil && !partial {
			return
		}
	}
}

// end waits for the command's end, tells what it printed, and returns how it
// failed.
func (p *process) end() (said string, err error) {
	status := p.Wait()
	select {
	case <-p.eof:
	case <-time.After(pipeGrace):
	}
	closeAll(p.stdout, p.stdin)
	<-p.eof
	p.cancel()
	said = clean.Line(strings.TrimSpace(p.output.String()), maxShown)
	if status.OK() {
		return said, nil
	}
	return said, errors.New(status.String())
}

// call runs a command to its end.
func (h *Hooks) call(ctx context.Context, c call) error {
	limited, cancel := c.limited(ctx)
	defer cancel()
	p, err := h.start(limited, &c)
	if err != nil {
		return c.fail(err)
	}
	said, err := p.end()
	if err != nil && limited.Err() != nil {
		err = context.Cause(limited)
	}
	return h.outcome(&c, said, err)
}

func (c *call) limited(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, c.hook.Timeout, fmt.Errorf("not done within %s, and killed", config.FormatDuration(c.hook.Timeout)))
}

// outcome passes on what a command printed: with its failure, or by itself.
func (h *Hooks) outcome(c *call, said string, err error) error {
	switch {
	case err == nil && said != "":
		h.say(fmt.Sprintf("%s hook %q: %s", c.when, c.hook.Command[0], said))
		return nil
	case err == nil:
		return nil
	case said != "":
		err = fmt.Errorf("%w: %s", err, said)
	}
	return c.fail(err)
}

// hold starts a command that goes on while the snapshots are taken, and waits
// until it says that they may be. It is not cancelled with the run: release
// ends it.
func (h *Hooks) hold(ctx context.Context, c call) (*process, error) {
	limited, cancel := c.limited(ctx)
	defer cancel()
	p, err := h.start(context.WithoutCancel(ctx), &c)
	if err != nil {
		return nil, c.fail(err)
	}
	select {
	case <-p.ready:
		return p, nil
	case <-p.Done():
		err = p.early()
	case <-limited.Done():
		err = context.Cause(limited)
		p.cancel()
	}
	said, failed := p.end()
	if failed != nil && limited.Err() == nil {
		err = fmt.Errorf("%w: %w", err, failed)
	}
	return nil, h.outcome(&c, said, err)
}

// early says what is wrong with a command that has ended before it should.
func (p *process) early() error {
	select {
	case <-p.eof:
	case <-time.After(pipeGrace):
	}
	select {
	case <-p.ready:
		return errEarly
	default:
		return errors.New("it ended without printing \"ready\"")
	}
}

var errEarly = errors.New("it ended before the snapshots were taken")

// release ends a command that held something while the snapshots were taken.
func (h *Hooks) release(ctx context.Context, held held) error {
	p, c := held.process, held.call
	_, early := p.Exited()
	closeAll(p.stdin)
	p.stdin = nil
	limited, cancel := c.limited(context.WithoutCancel(ctx))
	defer cancel()
	var err error
	select {
	case <-p.Done():
	case <-limited.Done():
		err = fmt.Errorf("it did not end when its standard input did: %w", context.Cause(limited))
		p.cancel()
	}
	said, failed := p.end()
	switch {
	case early:
		err = fmt.Errorf("%w: they may not be consistent", errEarly)
		if failed != nil {
			err = fmt.Errorf("%w: %w", err, failed)
		}
	case err == nil && failed != nil: // it ends well only if it has held to the end
		err = fmt.Errorf("%w: the snapshots may not be consistent", failed)
	}
	return h.outcome(&c, said, err)
}
