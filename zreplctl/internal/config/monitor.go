package config

import (
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
	d.dict(n, "global: monitor", []string{"group"}, func(_ string, _, v *yaml.Node) {
		name, ok := d.str(v, "global: monitor: group")
		if err := identity.Check(name); ok && err != nil {
			d.wrong(v, "global: monitor: group: %q is not the name of a group: %v", name, err)
			return
		}
		m.Group = name
	})
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
