package config

import (
	"net/netip"

	"gopkg.in/yaml.v3"

	"github.com/zrepl-tools/zrepl-tools/lib/identity"
)

// defaultState is where state is if the file names no directory for it. A file
// with a run directory of its own shares no state with others: its jobs may
// have the same names.
func (d *decoder) defaultState(g *Global, defaults Global) {
	if _, named := d.at["statedir"]; !named && g.RunDir != defaults.RunDir {
		g.StateDir = g.RunDir
	}
}

func (d *decoder) globalMonitor(n *yaml.Node, m *Monitor) {
	d.at["monitor"] = place{n.Line, n.Column}
	d.dict(n, "global: monitor", []string{"group", "listen"}, func(key string, _, v *yaml.Node) {
		if key == "listen" {
			m.Listen = d.listen(v, "global: monitor: listen")
			return
		}
		name, ok := d.str(v, "global: monitor: group")
		if err := identity.Check(name); ok && err != nil {
			d.wrong(v, "global: monitor: group: %q is not the name of a group: %v", name, err)
			return
		}
		m.Group = name
	})
}

// listen reads an address and a port. The page names datasets, and asks nobody
// who they are.
func (d *decoder) listen(n *yaml.Node, what string) string {
	s, ok := d.str(n, what)
	if !ok {
		return ""
	}
	at, err := netip.ParseAddrPort(s)
	switch {
	case err != nil:
		d.wrong(n, "%s: %q is not an address and a port, as 127.0.0.1:9811", what, s)
		return ""
	case !at.Addr().IsLoopback():
		d.warnAt(place{n.Line, n.Column}, "%s: who can reach %s sees the names of datasets and their errors: nobody is asked for a password", what, s)
	}
	return s
}

func (m Monitor) encode() *dict {
	d := dictionary()
	if m.Group != "" {
		d.put("group", text(m.Group))
	}
	if m.Listen != "" {
		d.put("listen", text(m.Listen))
	}
	return d
}

// limit reads how old copies may be.
func (d *decoder) limit(n *yaml.Node, what string, l *Limit) {
	d.dict(n, what, []string{"warn", "crit"}, func(key string, _, v *yaml.Node) {
		age := d.duration(v, what+": "+key, "")
		if key == "warn" {
			l.Warn = age
		} else {
			l.Crit = age
		}
	})
	if l.Crit > 0 && l.Warn > l.Crit {
		d.wrong(n, "%s: warn (%s) is longer than crit (%s)", what, FormatDuration(l.Warn), FormatDuration(l.Crit))
	}
}

func (l Limit) encode() *dict {
	m := dictionary()
	if l.Warn > 0 {
		m.put("warn", text(FormatDuration(l.Warn)))
	}
	if l.Crit > 0 {
		m.put("crit", text(FormatDuration(l.Crit)))
	}
	return m
}
