package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/control"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/systemd"
)

// reloads reads the configuration again at each SIGHUP, and when a person asks
// for it, one at a time.
func (d *daemon) reloads(ctx context.Context) {
	for {
		select {
		case <-d.Hangup:
			d.reload(ctx)
		case answer := <-d.asked:
			answer <- d.reload(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// Reload implements control.Daemon.
func (d *daemon) Reload(ctx context.Context, path string) (control.Reloaded, error) {
	if !sameFile(path, d.Config.Path) {
		return control.Reloaded{}, fmt.Errorf("it has another configuration: %q", d.Config.Path)
	}
	answer := make(chan control.Reloaded, 1)
	select {
	case d.asked <- answer:
		return <-answer, nil // a reload does not wait for anything
	case <-ctx.Done():
		return control.Reloaded{}, context.Cause(ctx)
	}
}

// reload reads the configuration and goes by it, or says all that is wrong with
// it and changes nothing.
func (d *daemon) reload(ctx context.Context) control.Reloaded {
	d.tellManager(systemd.Reloading()...)
	defer d.tellManager(systemd.Ready)
	c, text, err := d.readAgain()
	if err == nil {
		err = d.inherit.set(c.Global.Control, text)
	}
	if err != nil {
		r := control.Reloaded{Errors: eachLine(err)}
		for _, line := range r.Errors {
			d.Log.Error("cannot reload the configuration: the old one stays in force", "error", line)
		}
		return r
	}
	r := d.adopt(ctx, c)
	d.Log.Info("reloaded the configuration", "config", c.Path, "jobs", len(c.Jobs),
		"added", len(r.Added), "removed", len(r.Removed), "changed", len(r.Changed))
	if d.Reloaded != nil {
		d.Reloaded(c, text)
	}
	d.changed.ring()
	return r
}

func (d *daemon) readAgain() (*config.Config, []byte, error) {
	if d.Read == nil {
		return nil, nil, errors.New("this daemon cannot read it again")
	}
	c, text, err := d.Read()
	if err != nil {
		return nil, nil, err
	}
	old, fresh := d.conf().Global, c.Global
	var errs []error
	for _, path := range []struct{ key, old, fresh string }{
		{"rundir", old.RunDir, fresh.RunDir}, {"statedir", old.StateDir, fresh.StateDir},
		{"control: sockpath", old.Control, fresh.Control}, {"serve: stdinserver: sockdir", old.SockDir, fresh.SockDir},
	} {
		if path.old != path.fresh {
			errs = append(errs, fmt.Errorf("%s: global: %s: a running daemon cannot move from %q to %q: restart it", c.Path, path.key, path.old, path.fresh))
		}
	}
	return c, text, errors.Join(errs...)
}

// eachLine takes a joined error apart.
func eachLine(err error) []string { return strings.Split(strings.TrimSpace(err.Error()), "\n") }

// adopt goes by a configuration from now on. Runs and connections that are on
// go on as they began.
func (d *daemon) adopt(ctx context.Context, c *config.Config) (r control.Reloaded) {
	d.room.allow(c.Global.Limits.OrDefaults())
	d.turns.allow(c.Global.Runs)
	d.mu.Lock()
	old := d.jobs
	var jobs, begin []*job
	for _, one := range c.Jobs {
		at := slices.IndexFunc(old, func(j *job) bool { return j.name == one.Name })
		if at < 0 {
			j := newJob(d, one)
			jobs, begin, r.Added = append(jobs, j), append(begin, j), append(r.Added, one.Name)
			continue
		}
		j := old[at]
		switch was, _ := j.now(); {
		case j.isGone():
			r.Added = append(r.Added, one.Name)
		case !config.Same(was, one):
			r.Changed = append(r.Changed, one.Name)
		}
		j.update(one)
		jobs = append(jobs, j)
	}
	for _, j := range old {
		if slices.Contains(jobs, j) {
			continue
		}
		if !j.isGone() {
			r.Removed = append(r.Removed, j.name)
			j.retire()
		}
		jobs = append(jobs, j)
	}
	d.jobs, d.config = jobs, c
	d.mu.Unlock()
	for _, j := range begin {
		d.children.Go(func() { j.schedule(ctx) })
	}
	d.adoptClients(ctx, c)
	return r
}

// adoptClients listens for the clients of a configuration. The sockets of those
// that were there before stay as they are.
func (d *daemon) adoptClients(ctx context.Context, c *config.Config) {
	jobs, clients := d.all()
	owners := map[string]*job{}
	for _, one := range c.Jobs {
		at := slices.IndexFunc(jobs, func(j *job) bool { return j.name == one.Name })
		for _, id := range one.Clients() {
			owners[id] = jobs[at]
		}
	}
	var kept []*client
	for _, one := range clients {
		owner := owners[one.identity]
		switch {
		case owner == nil:
			one.drop()
			if one.isOver() {
				continue
			}
		case one.isGone():
			one.job.Store(owner)
			one.listen() // says what is wrong, and is tried again
			one.start(ctx)
		default:
			one.job.Store(owner)
		}
		delete(owners, one.identity)
		kept = append(kept, one)
	}
	for _, j := range jobs {
		was, _ := j.now()
		for _, id := range was.Clients() {
			if owners[id] != j {
				continue
			}
			one := newClient(d, j, id)
			one.listen()
			one.start(ctx)
			kept = append(kept, one)
		}
	}
	d.mu.Lock()
	d.clients = kept
	d.mu.Unlock()
}

// forget takes a job out that has ended, unless a reload has brought it back.
func (d *daemon) forget(j *job) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !j.isGone() {
		return false
	}
	d.jobs = slices.DeleteFunc(slices.Clone(d.jobs), func(o *job) bool { return o == j })
	d.changed.ring()
	return true
}

func (j *job) isGone() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.gone
}

// isOver reports whether a job was removed, and takes it out.
func (j *job) isOver() bool { return j.isGone() && j.d.forget(j) }

func (c *client) isGone() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.gone
}
