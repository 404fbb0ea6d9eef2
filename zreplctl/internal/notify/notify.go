// Package notify runs commands when the state of a job changes, or becomes
// worse.
//
// It promises that a command is run once for a change, never twice at a time,
// and never for longer than its limit; and that a change that could not be told
// is told by a later call.
package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/child"
	"github.com/zrepl-tools/zrepl-tools/lib/clean"
	"github.com/zrepl-tools/zrepl-tools/lib/progress"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/health"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
)

// Message is what a command reads on its standard input.
type Message struct {
	Host string        `json:"host"`
	Made progress.Time `json:"made"`
	Was  health.State  `json:"was"` // the state that was told last
	Job  health.Job    `json:"job"` // of its datasets, only those that are not well
}

// Notifier tells changes.
type Notifier struct {
	Config *config.Config
	Dir    state.Dir
	Limit  time.Duration // of a command; 0: a minute
}

const (
	defaultLimit = time.Minute
	maxDatasets  = 100 // in a message
	maxTold      = 4 << 20
	toldName     = ".notified"
)

// ErrBusy says that another call is telling something now.
var ErrBusy = errors.New("another call runs the commands of notify now")

// told is what was told.
type told struct {
	// Last is the job whose command was run last. The next call begins with
	// the job after it: commands that hang take the time of others only once.
	Last string                      `json:"last,omitempty"`
	Jobs map[string]map[string]heard `json:"jobs"` // by job and command
}

// Tell runs the commands for all that has changed since the last call.
func (n *Notifier) Tell(ctx context.Context, r health.Report) error {
	if err := n.Dir.Make(); err != nil {
		return err
	}
	lock, err := os.OpenFile(n.Dir.Path(toldName+".lock"), os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	defer lock.Close()
	err = syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return ErrBusy
	}
	if err != nil {
		return err
	}
	// A command that another job is just starting has a copy of the lock.
	defer syscall.Flock(int(lock.Fd()), syscall.LOCK_UN)
	return n.tellAll(ctx, r, n.read())
}

func (n *Notifier) tellAll(ctx context.Context, r health.Report, before told) error {
	var errs []error
	first := 1 + slices.IndexFunc(r.Jobs, func(j health.Job) bool { return j.Name == before.Last })
	for _, j := range slices.Concat(r.Jobs[first:], r.Jobs[:first]) {
		for _, c := range n.Config.NotifyOf(j.Name) {
			if ctx.Err() != nil {
				return errors.Join(append(errs, ctx.Err())...)
			}
			var unwritten *writeError
			err := n.tell(ctx, r, j, c, &before)
			if errs = append(errs, err); errors.As(err, &unwritten) {
				return errors.Join(errs...) // what is told now would be told again and again
			}
		}
	}
	return errors.Join(errs...)
}

// tell runs one command, if it is to hear of this. What it was told is noted
// after each, so that a crash repeats at most one; and something is noted
// before each, so that nothing is told that cannot be noted.
func (n *Notifier) tell(ctx context.Context, r health.Report, j health.Job, c config.Notify, before *told) error {
	if j.State == health.Running { // it says nothing of how it was before
		return nil
	}
	key := c.Key()
	was, known := before.Jobs[j.Name][key]
	if !known {
		was = heard{State: health.OK}
	}
	now := hear(j, was)
	if now.same(was) {
		return nil
	}
	if slices.ContainsFunc(now.news(was), func(s health.State) bool { return slices.Contains(c.On, string(s)) }) {
		before.Last = j.Name
		if err := n.write(*before); err != nil {
			return err
		}
		if err := n.run(ctx, c, message(r, j, was.State)); err != nil {
			return fmt.Errorf("cannot notify of job %q by %q: %w", j.Name, c.Command[0], err)
		}
	}
	if before.Jobs[j.Name] == nil {
		before.Jobs[j.Name] = map[string]heard{}
	}
	before.Jobs[j.Name][key] = now
	return n.write(*before)
}

// writeError says that what was told cannot be noted.
type writeError struct{ err error }

func (e *writeError) Error() string {
	return fmt.Sprintf("cannot note what notify tells: %v", e.err)
}
func (e *writeError) Unwrap() error { return e.err }

func (n *Notifier) write(t told) error {
	text, err := json.Marshal(t)
	if err == nil {
		err = n.Dir.Write(toldName, append(text, '\n'))
	}
	if err != nil {
		return &writeError{err}
	}
	return nil
}

func message(r health.Report, j health.Job, was health.State) Message {
	host, _ := os.Hostname()
	bad := slices.IndexFunc(j.Datasets, func(d health.Dataset) bool { return d.Level == health.Good }) // they come last
	if bad < 0 {
		bad = len(j.Datasets)
	}
	j.Datasets = j.Datasets[:min(bad, maxDatasets)]
	return Message{Host: host, Made: r.Made, Was: was, Job: j}
}

// read reads what was told, without what the configuration no longer names.
// Without the file, everything that is not well is told.
func (n *Notifier) read() told {
	var t told
	text, err := n.Dir.Read(toldName, maxTold)
	if err != nil || json.Unmarshal(text, &t) != nil || t.Jobs == nil {
		return told{Jobs: map[string]map[string]heard{}}
	}
	maps.DeleteFunc(t.Jobs, func(name string, by map[string]heard) bool {
		all := n.Config.NotifyOf(name)
		maps.DeleteFunc(by, func(key string, _ heard) bool {
			return !slices.ContainsFunc(all, func(c config.Notify) bool { return c.Key() == key })
		})
		_, err := n.Config.Job(name)
		return err != nil || len(by) == 0
	})
	return t
}

// run runs a command to its end, in a process group of its own.
func (n *Notifier) run(ctx context.Context, c config.Notify, m Message) error {
	text, err := clean.JSON(m)
	if err != nil {
		return err
	}
	limit := n.Limit
	if limit == 0 {
		limit = defaultLimit
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tail := &child.Tail{Max: 2 << 10}
	cmd := exec.CommandContext(ctx, c.Command[0], c.Command[1:]...)
	cmd.Stdin, cmd.Stderr = bytes.NewReader(append(text, '\n')), tail
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	err = cmd.Run()
	if cmd.Process != nil {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // what it left in its group
	}
	if errors.Is(err, exec.ErrWaitDelay) { // it ended well, and left something that had its output
		return nil
	}
	if ctx.Err() != nil {
		return fmt.Errorf("it did not end within %s", limit)
	}
	// A command need not read what it is told.
	if err != nil && !errors.Is(err, syscall.EPIPE) {
		return fmt.Errorf("%w: %s", err, child.Clean(tail.String(), 500))
	}
	return nil
}
