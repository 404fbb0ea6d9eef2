package config

import (
	"path/filepath"
	"slices"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/mapfilter"
)

func (d *decoder) global(n *yaml.Node, c *Config) {
	g := &c.Global
	d.dict(n, "global", []string{"rundir", "statedir", "control", "serve", "stop_timeout", "runs", "rate", "monitor", "notify"}, func(key string, k, v *yaml.Node) {
		switch key {
		case "rundir":
			g.RunDir = d.path(v, "global: rundir")
			d.at["rundir"] = place{v.Line, v.Column}
		case "statedir":
			g.StateDir = d.path(v, "global: statedir")
			d.at["statedir"] = place{v.Line, v.Column}
		case "runs":
			g.Runs = d.integer(v, "global: runs", 1, maxJobs)
		case "rate":
			g.Rate = d.rate(v, "global: rate")
		case "stop_timeout":
			g.StopTimeout = d.duration(v, "global: stop_timeout", "")
		case "monitor":
			d.globalMonitor(v, &g.Monitor)
		case "notify":
			c.Notify = d.notify(v, "global: notify")
		case "control":
			d.dict(v, "global: control", []string{"sockpath"}, func(_ string, _, v *yaml.Node) {
				d.at["control"] = place{v.Line, v.Column}
				g.Control = d.path(v, "global: control: sockpath")
			})
		case "serve":
			d.dict(v, "global: serve", []string{"stdinserver", "limits"}, func(key string, _, v *yaml.Node) {
				if key == "limits" {
					d.limits(v, "global: serve: limits", &g.Limits)
					return
				}
				d.dict(v, "global: serve: stdinserver", []string{"sockdir"}, func(_ string, _, v *yaml.Node) {
					d.at["sockdir"] = place{v.Line, v.Column}
					g.SockDir = d.path(v, "global: serve: stdinserver: sockdir")
				})
			})
		}
	})
}

// limits: a client must be able to make a connection, and to be slow.
func (d *decoder) limits(n *yaml.Node, what string, l *Limits) {
	const most = 10_000
	d.dict(n, what, []string{"connections", "client_connections", "sessions", "idle", "silence"}, func(key string, _, v *yaml.Node) {
		part := what + ": " + key
		switch key {
		case "connections":
			l.Connections = d.integer(v, part, 1, most)
		case "client_connections":
			l.ClientConnections = d.integer(v, part, 1, most)
		case "sessions":
			l.Sessions = d.integer(v, part, 1, most)
		case "idle":
			l.Idle = d.wait(v, part)
		case "silence":
			l.Silence = d.wait(v, part)
		}
	})
	if all := l.OrDefaults(); all.Connections < all.ClientConnections {
		d.warnAt(place{n.Line, n.Column}, "%s: one client can have all %d connections: client_connections is %d", what, all.Connections, all.ClientConnections)
	}
}

// wait reads for how long a client is waited for: 5 seconds at least.
func (d *decoder) wait(n *yaml.Node, what string) time.Duration {
	const least = 5 * time.Second
	wait := d.duration(n, what, "")
	if wait != 0 && wait < least {
		d.wrong(n, "%s: %s is too short: at least %s", what, FormatDuration(wait), FormatDuration(least))
	}
	return wait
}

// path reads the path of a file or a directory, which must be absolute: a
// daemon has no directory of its own.
func (d *decoder) path(n *yaml.Node, what string) string {
	s, ok := d.str(n, what)
	if ok && !filepath.IsAbs(s) {
		d.wrong(n, `%s: %q is not absolute: a path starts with "/"`, what, s)
		return ""
	}
	if ok {
		s = filepath.Clean(s)
	}
	return s
}

// rules reads a map, or a filter.
func (d *decoder) rules(n *yaml.Node, what string, isMap bool) *mapfilter.Rules {
	n, ok := d.resolve(n)
	if !ok || n.Kind == yaml.MappingNode && !d.spendAll(n, 1./16) {
		return nil
	}
	read := mapfilter.FilterFromYAML
	if isMap {
		read = mapfilter.MapFromYAML
	}
	rules, err := read(n, "")
	if err != nil {
		d.placed(n, what, err)
		return nil
	}
	return rules
}

func (d *decoder) datasetName(n *yaml.Node, what string) string {
	s, ok := d.str(n, what)
	if err := dataset.CheckName(s); ok && err != nil {
		d.wrong(n, "%s: %q is no dataset: %v", what, s, err)
		return ""
	}
	return s
}

// maxPrefix leaves room behind the prefix for a snapshot's time.
const maxPrefix = 128

func (d *decoder) prefix(n *yaml.Node, what string) string {
	s, ok := d.str(n, what)
	if !ok {
		return ""
	}
	err := dataset.CheckShort(s)
	switch {
	case s == "":
		d.wrong(n, "%s: empty: leave the key out", what)
	case err != nil:
		d.wrong(n, "%s: %q cannot begin a snapshot's name: %v", what, s, err)
	case len(s) > maxPrefix:
		d.wrong(n, "%s: longer than %d characters", what, maxPrefix)
	}
	return s
}

func (d *decoder) send(n *yaml.Node, what string, s *Send) {
	keys := []string{"encrypted", "large_blocks", "compressed", "embedded", "properties"}
	d.dict(n, what, keys, func(key string, _, v *yaml.Node) {
		part := what + ": " + key
		switch key {
		case "encrypted":
			s.Decrypt = d.word(v, part, "raw", "plain") == "plain"
		case "large_blocks":
			s.LargeBlocks = d.boolean(v, part)
		case "compressed":
			s.Compressed = d.boolean(v, part)
		case "embedded":
			s.Embedded = d.boolean(v, part)
		case "properties":
			s.Properties = d.boolean(v, part)
		}
	})
}

func (d *decoder) recv(n *yaml.Node, what string, t Type, r *Recv) {
	keys := []string{"override", "exclude", "placeholder_encryption", "plain_encryption", "properties", "renamed", "clones", "conflict", "vanished"}
	d.dict(n, what, keys, func(key string, _, v *yaml.Node) {
		part := what + ": " + key
		switch key {
		case "override":
			r.Override = d.properties(v, part)
		case "exclude":
			r.Exclude = d.patterns(v, part)
		case "placeholder_encryption":
			r.PlainPlaceholders = d.word(v, part, "inherit", "off") == "off"
		case "plain_encryption":
			r.PlainCopies = d.word(v, part, "inherit", "off") == "off"
		case "properties":
			r.Properties = d.takes(v, part)
		case "renamed":
			r.Renames = d.word(v, part, "report", "follow") == "follow"
		case "clones":
			r.Clones = d.word(v, part, "full", "share") == "share"
		case "conflict":
			r.Asides = d.conflict(v, part)
		case "vanished":
			r.Vanished = d.vanished(v, part, t)
		}
	})
}

// conflict reads what becomes of copies in conflict.
func (d *decoder) conflict(n *yaml.Node, what string) (asides []string) {
	d.dict(n, what, dataset.AsideReasons, func(key string, _, v *yaml.Node) {
		if d.word(v, what+": "+key, "report", "rename") == "rename" {
			asides = append(asides, key)
		}
	})
	slices.Sort(asides)
	return asides
}

// leastVanished is the shortest time after which a copy may go whose source is gone.
const leastVanished = 24 * time.Hour

// vanished reads what becomes of copies whose sources are gone.
func (d *decoder) vanished(n *yaml.Node, what string, t Type) (keep time.Duration) {
	if t == PushSink {
		d.wrong(n, "%s: a push-sink job lets no copy go: its client would destroy its own backups by offering nothing", what)
		return 0
	}
	there := false
	d.dict(n, what, []string{"keep"}, func(_ string, _, v *yaml.Node) {
		there = true
		if keep = d.duration(v, what+": keep", ""); keep >= time.Second && keep < leastVanished {
			d.wrong(v, "%s: keep: %s is too short: at least %s", what, FormatDuration(keep), FormatDuration(leastVanished))
		}
	})
	if !there && n.Kind == yaml.MappingNode {
		d.wrong(n, `%s: key "keep" is missing: without it no copy goes`, what)
	}
	return keep
}
