package config

import "gopkg.in/yaml.v3"

// maxLimit is the largest number that limits takes.
const maxLimit = 100_000_000

// sinkLimits reads what a push-sink allows its client to have.
func (d *decoder) sinkLimits(n *yaml.Node, what string, l *SinkLimits) {
	d.dict(n, what, []string{"datasets", "snapshots", "quota"}, func(key string, _, v *yaml.Node) {
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

func (l *SinkLimits) encode() *dict {
	m := dictionary()
	if l.Datasets > 0 {
		m.put("datasets", l.Datasets)
	}
	if l.Snapshots > 0 {
		m.put("snapshots", l.Snapshots)
	}
	quota := "optional"
	if l.Quota {
		quota = "required"
	}
	m.put("quota", text(quota))
	return m
}
