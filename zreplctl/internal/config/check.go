package config

import (
	"fmt"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/retention"
)

// maxSocket is the longest path of a socket that every system takes, in
// bytes: 104 with its NUL on FreeBSD.
const maxSocket = 103

// check looks at what no value shows by itself: how the jobs go together.
func (d *decoder) check(c *Config) {
	d.checkGlobal(&c.Global)
	d.checkNames(c)
	for _, j := range c.Jobs {
		d.checkJob(j)
	}
	d.checkTargets(c)
	d.checkClaims(c)
	d.checkPeers(c)
	d.checkOneTarget(c)
	d.checkReceived(c)
	d.checkSelected(c)
	d.checkCircles(c)
	d.checkAfter(c)
	if len(d.problems) == 0 {
		d.findPolicyless(c)
	}
}

func (d *decoder) checkGlobal(g *Global) {
	d.checkState(g)
	if len(g.Control) > maxSocket {
		d.wrongAt(d.at["control"], "global: control: sockpath: %q is longer than %d bytes, the limit for the path of a socket", g.Control, maxSocket)
	}
	if dataset.Within(g.Control, g.SockDir) {
		at := d.at["control"]
		if at.line == 0 {
			at = d.at["sockdir"]
		}
		d.wrongAt(at, "global: the control socket %q must not be in the directory of the clients' sockets %q", g.Control, g.SockDir)
	}
}

// checkState finds state that would be lost, or that the group could not read.
func (d *decoder) checkState(g *Global) {
	if g.StateDir != g.RunDir {
		return
	}
	if g.Monitor.Group != "" {
		d.wrongAt(d.at["monitor"], "global: monitor: group: %q cannot read state in rundir: name another directory as statedir", g.Monitor.Group)
	}
	for _, dir := range []string{"/run", "/var/run"} {
		if dataset.Within(g.RunDir, dir) {
			d.warnAt(d.at["rundir"], "global: rundir: a reboot empties %q, and what the jobs know of their last runs is lost: name a statedir", dir)
		}
	}
}

// checkNames finds names and identities that are not unique.
func (d *decoder) checkNames(c *Config) {
	names, clients := map[string]*Job{}, map[string]*Job{}
	for _, j := range c.Jobs {
		if first := names[j.Name]; first != nil {
			d.wrongAt(j.key("name"), "job %q: the name is taken by the job %s", j.Name, first.at[""].in(d.files, j.key("name")))
		} else if j.Name != "" {
			names[j.Name] = j
		}
		for _, id := range j.Clients() {
			if first := clients[id]; first != nil {
				d.wrongAt(j.key("serve"), "job %q: serve: the client %q is served by job %q already, and one socket leads to one job", j.Name, id, first.Name)
				continue
			}
			clients[id] = j
			if socket := c.Global.SockDir + "/" + id; len(socket) > maxSocket {
				d.wrongAt(j.key("serve"), "job %q: serve: the socket %q would have a path of more than %d bytes", j.Name, socket, maxSocket)
			}
		}
	}
}

// key is where a key of the job stands, or else the job itself.
func (j *Job) key(name string) place {
	if at, ok := j.at[name]; ok {
		return at
	}
	return j.at[""]
}

func (d *decoder) checkJob(j *Job) {
	if most := DefaultLimits().ClientConnections; j.Connect != nil && j.Parallel > most {
		d.warnAt(j.at["parallel"], "job %q: parallel: the other host allows a client %d connections unless its client_connections says more", j.Name, most)
	}
	what := fmt.Sprintf("job %q", j.Name)
	if j.Type == PushSink {
		d.checkSink(j, what)
	}
	d.checkCompress(j)
	for _, key := range []string{"mapping", "datasets"} {
		rules := j.Mapping
		if key == "datasets" {
			rules = j.Datasets
		}
		if rules == nil {
			continue
		}
		if roots, all := rules.Roots(); len(roots) == 0 && !all {
			d.warnAt(j.key(key), "%s: %s: the rules allow no dataset", what, key)
		}
	}
	if j.Mapping != nil {
		d.checkMapping(j, what)
	}
	if j.SnapshotPrefix == "" && j.Sends() && j.Timed() {
		d.warnAt(j.at[""], "%s: without snapshot_prefix the job takes no snapshots of its own", what)
	}
	if j.SnapshotPrefix == "" && j.Prunes() {
		d.wrongAt(j.firstKey("prune", "keep", "prune_lhs", "prune_rhs"), "%s: without snapshot_prefix a policy would be about every snapshot: name the prefix", what)
	}
	if j.Type == Prune && !j.says("prune") && !j.says("keep") {
		d.wrongAt(j.at[""], `%s: key "prune" or "keep" is missing`, what)
	}
	d.checkPolicies(j, what)
	d.checkRegexes(j)
	d.checkSnapshots(j, what)
	d.checkTimes(j, what)
	d.checkHooks(j, what)
}

func (j *Job) firstKey(names ...string) place {
	for _, name := range names {
		if at, ok := j.at[name]; ok {
			return at
		}
	}
	return j.at[""]
}

// says reports whether the file has the key, or a slip of the pen for it.
func (j *Job) says(key string) bool {
	_, there := j.at[key]
	return there || j.meant[key]
}

func (d *decoder) checkSink(j *Job, what string) {
	if j.says("root") == j.says("mapping") {
		d.wrongAt(j.at[""], `%s: a push-sink job has either "root" or "mapping"`, what)
	}
}

// checkMapping finds sources that are targets of the same host's job, and
// rules by which two sources meet.
func (d *decoder) checkMapping(j *Job, what string) {
	if a, b, overlap := j.Mapping.Overlap(); overlap {
		d.warnAt(j.key("mapping"), "%s: mapping: rules %q and %q could bring two datasets to one target", what, a, b)
	}
	if j.Type != Local {
		return
	}
	if target, again, loop := j.Mapping.Loop(); loop {
		d.wrongAt(j.key("mapping"), "%s: mapping: the target %q is itself a source (it would go to %q): leave it out with %q: \"!\"", what, target, again, target+"<")
	}
}

// checkPolicies finds grids that destroy at once what an interval makes, and a
// rule arrived where nothing arrives.
func (d *decoder) checkPolicies(j *Job, what string) {
	for _, side := range j.Sides() {
		if side.Policy == nil {
			continue
		}
		at := j.firstKey(side.PolicyKey, "keep")
		if side.Name == SourceSide && side.Policy.LongestArrived() > 0 {
			d.wrongAt(at, "%s: %s: the rule arrived is for what a job receives, and this side receives nothing", what, side.PolicyKey)
		}
		g, ok := onlyGrid(side.Policy)
		if !ok || !side.Takes || !j.Timed() {
			continue
		}
		if span := g.Span(); span < int64(j.Every().Seconds()) {
			d.wrongAt(at, "%s: %s: the grid reaches back %ds, and the interval is %s: it would destroy every snapshot but the newest", what, side.PolicyKey, span, FormatDuration(j.Every()))
		}
	}
}

// onlyGrid returns the grid of a policy that consists of it alone.
func onlyGrid(p *retention.Policy) (*retention.Grid, bool) {
	if len(p.Rules()) != 1 {
		return nil, false
	}
	g, ok := p.Rules()[0].(*retention.Grid)
	return g, ok && len(g.Intervals()) > 0
}

// Where says in words where a job's datasets come from and go to.
func (j *Job) Where() (from, to string) {
	from, to = "", "-"
	if j.Serve != nil || j.Connect != nil {
		from, to = j.peer(), j.peer()
	}
	for _, s := range j.Sides() {
		switch {
		case s.Name == TargetSide:
			to = short(s.Roots)
		case s.All:
			from = "everything"
		default:
			from = short(s.Roots)
		}
	}
	if j.Select != nil {
		from += " with " + j.Select.String()
	}
	return from, to
}

func (j *Job) peer() string {
	switch {
	case j.Serve != nil:
		return short(j.Serve.Clients)
	case j.Connect.Type == "exec":
		return j.Connect.Command[0]
	}
	return j.Connect.Host
}

// short shows a few names.
func short(names []string) string { return some(names, ",") }

func some(names []string, separator string) string {
	const shown = 3
	if len(names) == 0 {
		return "nothing"
	}
	if len(names) > shown {
		return fmt.Sprintf("%s%s… (%d)", strings.Join(names[:shown], separator), separator, len(names))
	}
	return strings.Join(names, separator)
}
