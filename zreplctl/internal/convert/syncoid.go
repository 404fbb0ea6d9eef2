package convert

import (
	"errors"
	"fmt"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
)

// Syncoid turns a command line of syncoid into a job, and the jobs beside it
// that take and prune the snapshots that syncoid takes and prunes itself.
func Syncoid(line string) (*Result, error) {
	if err := checkSize([]byte(line)); err != nil {
		return nil, err
	}
	all, rest, err := words(line)
	if err != nil {
		return nil, err
	}
	opts, operands, err := options(arguments(all), syncoidOptions)
	if err != nil {
		return nil, err
	}
	if len(operands) != 2 {
		return nil, fmt.Errorf("syncoid takes a source and a target, and here are %d", len(operands))
	}
	c := &command{doc: newDocument("a command line of syncoid")}
	for i, end := range []*end{&c.source, &c.target} {
		if *end, err = readEnd(operands[i]); err != nil {
			return nil, err
		}
	}
	if c.source.host != "" && c.target.host != "" {
		return nil, errors.New("neither side is this host: import it on the host of the target, with the target's name alone, to pull, or on that of the source to push")
	}
	if rest != "" {
		c.doc.head.note(0, "%q is for a shell: left out", cut(rest, 60))
	}
	c.jobs(opts)
	return c.doc.result()
}

// command is a command line that is being converted.
type command struct {
	doc            *document
	job            *job
	source, target end
	choices
}

// end is a dataset, and the host where it is; none: this one.
type end struct{ user, host, dataset string }

func readEnd(text string) (e end, err error) {
	e.dataset = text
	user, after, has := strings.Cut(text, "@")
	if has {
		e.user, text = user, after
	}
	host, name, remote := strings.Cut(text, ":")
	if strings.HasPrefix(text, "[") { // an address of IPv6
		host, name, remote = strings.Cut(text[1:], "]:")
	}
	if has && !remote {
		return e, fmt.Errorf("%q names a user, and no dataset after a colon", cut(text, 60))
	}
	if remote {
		e.host, e.dataset = host, name
	}
	if err := dataset.CheckName(e.dataset); err != nil {
		return e, fmt.Errorf("%q is no dataset: %w", cut(e.dataset, 60), err)
	}
	return e, nil
}

// jobs writes the job, and those beside it.
func (c *command) jobs(opts []option) {
	kind, name := "local", c.target.dataset
	switch {
	case c.source.host != "":
		kind, name = "pull", c.source.host+"_"+c.source.dataset
	case c.target.host != "":
		kind, name = "push", c.target.host+"_"+c.source.dataset
	}
	c.job = c.doc.add(0, goodName(kind+"_"+strings.NewReplacer("/", "_", ":", "_").Replace(name)), kind)
	c.read(opts)
	j := c.job
	c.connection()
	c.compression()
	if kind == "push" {
		j.rules("datasets", c.rules("ok"))
	} else {
		j.rules("mapping", c.rules(c.target.dataset))
	}
	j.remark("Without snapshot_prefix the job takes no snapshots, and replicates all that there are.")
	j.note(0, "a command line does not say when it runs: give the job an interval, or run zreplctl %s %s where syncoid ran", kind, j.name)
	j.put("initial_repl_policy: all")
	if c.bookmark && kind != "pull" {
		j.put("cursor: bookmark")
	}
	if c.rate > 0 && kind != "pull" { // there the source has it
		j.put("rate: %d", c.rate)
	}
	if c.compresses() {
		j.put("compress: zstd")
	}
	for _, line := range c.chosen() {
		j.put("%s", line)
	}
	if kind != "pull" {
		for _, line := range c.sending() {
			j.put("%s", line)
		}
	}
	if kind != "push" {
		for _, line := range c.receiving() {
			j.put("%s", line)
		}
	}
	c.syncSnapshots()
	c.otherHost()
}

// rules are what is replicated.
func (c *command) rules(result string) (all []rule) {
	name := c.source.dataset
	if !c.recursive {
		return []rule{{name, result}}
	}
	all = append(all, rule{name + "<", result})
	if c.skipParent {
		all = append(all, rule{name, "!"})
	}
	for _, pattern := range c.excluded {
		all = append(all, rule{pattern, "!"})
	}
	return all
}

// connection writes how the other host is reached.
func (c *command) connection() {
	far := c.source
	if c.target.host != "" {
		far = c.target
	}
	j := c.job
	if far.host == "" {
		if len(c.ssh) > 0 || c.key != "" || c.port != 0 {
			j.note(0, "options for ssh: both datasets are on this host")
		}
		return
	}
	j.put("connect:")
	j.put("  type: ssh+stdinserver")
	j.put("  host: %s", scalar(far.host))
	if far.user != "" {
		j.put("  user: %s", scalar(far.user))
	}
	if c.port != 0 {
		j.put("  port: %d", c.port)
	}
	if c.key != "" {
		j.put("  identity_file: %s", scalar(c.key))
	}
	if len(c.ssh) > 0 {
		j.put("  options: %s", scalars(c.ssh))
	}
	j.note(0, "syncoid runs commands on %s; zreplctl needs a job and zstdinserver(8) there: see the end", far.host)
	if far.user != "" && far.user != "root" && !c.noSudo {
		j.note(0, "syncoid runs sudo on %s as %s; zreplctl does not: that user needs the rights of zfs allow, or none with the daemon", far.host, far.user)
	}
}

// compression tells what becomes of how syncoid compresses streams on the way,
// which it does unless it is told not to.
func (c *command) compression() {
	switch {
	case c.compresses():
		c.job.note(0, "--compress=%s: compress: zstd here, by zstd(1), which both hosts need", c.compress)
	case c.compress == "" && c.couldCompress():
		c.job.remark("syncoid compresses streams with lzop if both hosts have it: compress: zstd, on both sides, does so here.")
	case c.compress != "" && c.compress != "none":
		c.job.note(0, "--compress=%s is left out: nothing is compressed between datasets of one host, or what is compressed or encrypted already", c.compress)
	}
}

func (c *command) compresses() bool {
	return c.compress != "" && c.compress != "none" && c.couldCompress()
}

// couldCompress reports whether there is a way between two hosts, and anything to
// gain on it.
func (c *command) couldCompress() bool {
	return (c.source.host != "" || c.target.host != "") && !c.compressed && !c.raw
}

// sending is how streams are made: as syncoid made those of the copy.
func (c *command) sending() []string {
	lines := []string{"# As syncoid sends: a copy must continue as it was begun.", "send:"}
	if !c.raw {
		lines = append(lines, "  encrypted: plain")
	}
	lines = append(lines, fmt.Sprintf("  large_blocks: %t", c.large))
	if c.compressed {
		lines = append(lines, "  compressed: true")
	}
	if c.embedded {
		lines = append(lines, "  embedded: true")
	}
	if c.properties != "" {
		lines = append(lines, "  properties: true")
	}
	return lines
}

func (c *command) receiving() (lines []string) {
	if len(c.override)+len(c.exclude) == 0 && c.properties == "" {
		return nil
	}
	lines = []string{"recv:"}
	if c.properties != "" {
		lines = append(lines, "  properties: "+c.properties)
	}
	if len(c.exclude) > 0 {
		lines = append(lines, "  exclude: "+scalars(c.exclude))
	}
	if len(c.override) > 0 {
		lines = append(append(lines, "  override:"), c.override...)
	}
	return lines
}

// syncSnapshots makes the jobs that take and prune what syncoid calls sync
// snapshots, one for each side. They have names of their own: syncoid's hold
// the host's name, and the snapshots of other hosts begin alike.
func (c *command) syncSnapshots() {
	if c.noSnapshot {
		return
	}
	prefix := c.prefix()
	near := c.beside("_snap", "autosnap", c.rules("ok"), prefix)
	c.place(near, c.source.host)
	c.job.note(0, "syncoid takes a snapshot first; here job %s does: run it before %s", near.name, c.job.name)
	if c.keepSnapshots {
		return
	}
	far := c.beside("_prune", "prune", []rule{{c.target.dataset + "<", "ok"}}, prefix)
	c.place(far, c.target.host)
	c.job.note(0, "job %s destroys these snapshots at the target: run it after %s; the snapshots syncoid_... of earlier runs stay until you destroy them", far.name, c.job.name)
}

// place puts a job into this configuration, or among those of the other host.
func (c *command) place(j *job, host string) {
	if host != "" {
		c.remote = append(c.remote, j.config()...)
		return
	}
	c.doc.jobs = append(c.doc.jobs, j)
}

// beside makes a job for sync snapshots.
func (c *command) beside(end, kind string, rules []rule, prefix string) *job {
	name := c.job.name
	j := &job{block: block{doc: c.doc}, kind: kind, name: c.doc.free(name[:min(len(name), 64-len(end))] + end)}
	j.rules("datasets", rules)
	j.put("snapshot_prefix: %s", scalar(prefix))
	if !c.keepSnapshots {
		j.put("keep:")
		j.put("- {type: last_n, count: 2}")
	}
	return j
}

// otherHost writes, as comments, what the other host needs.
func (c *command) otherHost() {
	host, kind := c.source.host, "source"
	if host == "" {
		host, kind = c.target.host, "push-sink"
	}
	if host == "" {
		return
	}
	j := &job{block: block{doc: c.doc}, kind: kind, name: goodName("for_" + c.job.name)}
	j.put("serve: {type: stdinserver, client_identity: NAME}")
	if kind == "source" {
		j.rules("datasets", c.rules("ok"))
		if c.bookmark {
			j.put("cursor: bookmark")
		}
		if c.rate > 0 {
			j.put("rate: %d", c.rate)
		}
		j.lines = append(j.lines, c.sending()...)
	} else {
		j.rules("mapping", c.rules(c.target.dataset))
		if c.compresses() {
			j.put("compress: zstd")
		}
		j.lines = append(j.lines, c.receiving()...)
	}
	end := c.doc.add(0, "", "")
	end.remark("On %s these jobs are needed; NAME is this host's in its authorized_keys:", host)
	end.quote(append(j.config(), c.remote...))
}
