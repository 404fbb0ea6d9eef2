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
