// Package notify runs commands when the state of a job changes.
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

// told is which state of each job each of its commands was told last.
type told map[string]map[string]health.State

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
	var errs []error
	before := n.read()
	for _, j := range r.Jobs {
		for _, c := range n.Config.NotifyOf(j.Name) {
			if err := n.tell(ctx, r, j, c, before); err != nil {
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(errs...)
}

// tell runs one command, if it is to hear of this. What it was told is noted
// after each, so that a crash repeats at most one.
func (n *Notifier) tell(ctx context.Context, r health.Report, j health.Job, c config.Notify, before told) error {
	key := c.Key()
	was, known := before[j.Name][key]
	now := j.State
	if now == health.Running { // it says nothing of how it was before
		return nil
	}
	if !known {
		was = health.OK
	}
	if was == now {
		return nil
	}
	if slices.Contains(c.On, string(now)) {
		if err := n.run(ctx, c, message(r, j, was)); err != nil {
			return fmt.Errorf("cannot notify of job %q by %q: %w", j.Name, c.Command[0], err)
		}
	}
	if before[j.Name] == nil {
		before[j.Name] = map[string]health.State{}
	}
	before[j.Name][key] = now
	text, err := json.Marshal(before)
	if err != nil {
		return err
	}
	return n.Dir.Write(toldName, append(text, '\n'))
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

// read reads what was told. Without it, everything that is not well is told.
func (n *Notifier) read() told {
	t := told{}
	text, err := n.Dir.Read(toldName, maxTold)
	if err != nil || json.Unmarshal(text, &t) != nil || t == nil {
		return told{}
	}
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
	if ctx.Err() != nil {
		return fmt.Errorf("it did not end within %s", limit)
	}
	// A command need not read what it is told.
	if err != nil && !errors.Is(err, syscall.EPIPE) {
		return fmt.Errorf("%w: %s", err, child.Clean(tail.String(), 500))
	}
	return nil
}
