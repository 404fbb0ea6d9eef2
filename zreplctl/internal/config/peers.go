package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/mapfilter"
	"github.com/zrepl-tools/zrepl-tools/lib/transport"
)

// checkPeers looks at the jobs that connect: two that are one client of the
// other host move one cursor.
func (d *decoder) checkPeers(c *Config) {
	first := map[string]*Job{}
	for _, j := range c.Jobs {
		if j.Connect == nil {
			continue
		}
		client := clientKey(j.Connect)
		if other := first[client]; other == nil {
			first[client] = j
		} else {
			d.warnAt(j.key("connect"), "job %q: connect: it connects as job %q does, and so as the same client, which has one job and one cursor there: give it a key and an identity of its own",
				j.Name, other.Name)
		}
	}
}

// checkOneTarget looks at the jobs that take from here, or from other hosts.
func (d *decoder) checkOneTarget(c *Config) {
	var jobs []*Job
	var regions []mapfilter.Region
	for _, j := range c.Jobs {
		switch {
		case (j.Type == Pull || j.Type == Local) && j.Mapping != nil:
			jobs, regions = append(jobs, j), append(regions, j.Mapping.From())
		case j.Type == Push && j.Datasets != nil:
			jobs, regions = append(jobs, j), append(regions, j.Datasets.From())
		}
	}
	told := map[*Job]bool{}
	d.near(regions, func(i, k int) {
		first, later := jobs[i], jobs[k]
		if where, both := oneTarget(first, later); both && !told[later] {
			told[later] = true
			key := "snapshot_prefix"
			if first.SnapshotPrefix == later.SnapshotPrefix || first.SnapshotRules != nil || later.SnapshotRules != nil {
				key = "snapshots"
			}
			d.wrongAt(later.key(key), "job %q: "+key+": job %q brings %s, too, but other snapshots: an older one never arrives once the other job has brought a newer one: write one job, or another target",
				later.Name, first.Name, where)
		}
	})
}

// oneTarget finds what two jobs bring to one target although they choose other
// snapshots, and says what it is. ZFS takes no snapshot that is older than the
// newest.
func oneTarget(a, b *Job) (where string, both bool) {
	if a == b || a.Type != b.Type || a.choosesAs(b) {
		return "", false
	}
	if a.Type == Push {
		if a.Connect == nil || b.Connect == nil || clientKey(a.Connect) != clientKey(b.Connect) {
			return "", false
		}
		source, both := mapfilter.Common(a.Datasets.From(), b.Datasets.From())
		return fmt.Sprintf("%q to the same target", mapfilter.Show(source)), both
	}
	if a.Type == Pull && (a.Connect == nil || b.Connect == nil || hostKey(a.Connect) != hostKey(b.Connect)) {
		return "", false
	}
	source, target, both := mapfilter.Meet(a.Mapping, b.Mapping)
	return fmt.Sprintf("%q to %q", mapfilter.Show(source), mapfilter.Show(target)), both
}

// hostKey is the same for connections that lead to one host, as far as that
// shows. The last word of a command may be an identity.
func hostKey(c *Connect) string {
	if c.Type == transport.TypeExec {
		return fmt.Sprintf("%q", c.Command[:max(0, len(c.Command)-1)])
	}
	return strings.ToLower(strings.TrimSuffix(c.Host, "."))
}

// clientKey is the same for connections that are one client to the other host.
func clientKey(c *Connect) string {
	if c.Type == transport.TypeExec {
		return fmt.Sprintf("%q", c.Command)
	}
	port := c.Port
	if port == 0 {
		port = 22
	}
	return fmt.Sprintf("%q %q %d %q %q", hostKey(c), c.User, port, c.IdentityFile, whoOptions(c))
}

// whoOptions are the options of ssh that say where to connect, or as whom.
func whoOptions(c *Connect) (who []string) {
	names := []string{"certificatefile", "hostkeyalias", "hostname", "identitiesonly", "identityagent", "identityfile",
		"pkcs11provider", "port", "proxycommand", "proxyjump", "user"}
	for _, o := range c.Options {
		name, value, _ := strings.Cut(o, "=")
		if name = strings.ToLower(strings.TrimSpace(name)); slices.Contains(names, name) {
			who = append(who, name+"="+strings.TrimSpace(value))
		}
	}
	slices.Sort(who)
	return who
}
