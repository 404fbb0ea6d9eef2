package config

import (
	"gopkg.in/yaml.v3"

	"github.com/zrepl-tools/zrepl-tools/lib/mapfilter"
	"github.com/zrepl-tools/zrepl-tools/lib/property"
)

// selector reads {property: NAME=VALUE}.
func (d *decoder) selector(n *yaml.Node, what string) *property.Selector {
	var s *property.Selector
	ok := d.dict(n, what, []string{"property"}, func(_ string, _, v *yaml.Node) {
		s = &property.Selector{}
		text, ok := d.str(v, what+": property")
		if !ok {
			return
		}
		read, err := property.ParseSelector(text)
		if err != nil {
			d.wrong(v, "%s: property: %v", what, err)
		}
		*s = read
	})
	if ok && s == nil {
		d.wrong(n, `%s: key "property" is missing`, what)
	}
	return s
}

func encodeSelector(s *property.Selector) *dict {
	m := dictionary()
	m.put("property", text(s.String()))
	return m
}

// Narrowed returns the job as it is once somebody has looked at its datasets:
// its rules leave out those that Select does not choose.
func (j *Job) Narrowed(choices map[string]property.Choice) *Job {
	if j.Select == nil {
		return j
	}
	j = j.AsWritten()
	narrow := *j
	narrow.Choices, narrow.wide = choices, j
	if choices == nil {
		narrow.Choices = map[string]property.Choice{}
	}
	only := func(rules *mapfilter.Rules) *mapfilter.Rules {
		if rules == nil {
			return nil
		}
		return rules.Only(func(name string) bool { return choices[name].Chosen })
	}
	narrow.Datasets, narrow.Mapping = only(j.Datasets), only(j.Mapping)
	return &narrow
}

// AsWritten returns the job as the file has it.
func (j *Job) AsWritten() *Job {
	if j.wide != nil {
		return j.wide
	}
	return j
}

// Allows reports whether the rules as they are written let a dataset take part,
// whatever select says of it.
func (j *Job) Allows(name string) bool {
	rules := j.AsWritten().Sources()
	return rules != nil && rules.Pass(name)
}

// selectsAs reports whether two jobs choose by the same property and value.
func (j *Job) selectsAs(other *Job) bool {
	if j.Select == nil || other.Select == nil {
		return j.Select == other.Select
	}
	return *j.Select == *other.Select
}

// checkSelected finds jobs that choose datasets by a property that another job
// of this host takes from its sender: the sender would choose.
func (d *decoder) checkSelected(c *Config) {
	for _, j := range c.Jobs {
		rules := j.Sources()
		if j.Select == nil || j.Select.Name == "" || rules == nil {
			continue
		}
		for _, other := range c.Jobs {
			takes := property.Rules{Take: other.Recv.Properties, Exclude: other.Recv.Exclude}
			if !other.Receives() || !takes.Takes(j.Select.Name) {
				continue
			}
			for _, side := range other.Sides() {
				if side.Name != TargetSide {
					continue
				}
				if where, both := mapfilter.Common(rules.From(), side.Region); both {
					d.wrongAt(j.key("select"), "job %q: select: job %q takes %q from its sender, for %q, which then chooses what this job does: exclude it there (recv: exclude), or choose by a name that begins with %q",
						j.Name, other.Name, j.Select.Name, mapfilter.Show(where), property.Prefix)
				}
			}
		}
	}
}
