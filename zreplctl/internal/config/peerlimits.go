package config

import "gopkg.in/yaml.v3"

// maxLimit is the largest number that limits takes.
const maxLimit = 100_000_000

// peerLimits reads what a job allows the other host.
func (d *decoder) peerLimits(n *yaml.Node, what string, t Type, l *PeerLimits) {
	keys := []string{"datasets", "snapshots"}
	if t == PushSink {
		keys = append(keys, "quota")
	}
	d.dict(n, what, keys, func(key string, _, v *yaml.Node) {
		part := what + ": " + key
		switch key {
		case "datasets":
			l.Datasets = d.integer(v, part, 1, maxLimit)
		case "snapshots":
			l.Snapshots = d.integer(v, part, 1, maxLimit)
		case "quota":
			l.Quota = d.word(v, part, "required", "optional") == "required"
		}
	})
}

func (l *PeerLimits) encode(t Type) *dict {
	m := dictionary()
	if l.Datasets > 0 {
		m.put("datasets", l.Datasets)
	}
	if l.Snapshots > 0 {
		m.put("snapshots", l.Snapshots)
	}
	if t != PushSink {
		return m
	}
	quota := "optional"
	if l.Quota {
		quota = "required"
	}
	m.put("quota", text(quota))
	return m
}
