package retention

// printed is a rule as FromYAML reads it.
type printed struct {
	Type    string  `yaml:"type"`
	Grid    string  `yaml:"grid,omitempty"`
	Hourly  int64   `yaml:"hourly,omitempty"`
	Daily   int64   `yaml:"daily,omitempty"`
	Weekly  int64   `yaml:"weekly,omitempty"`
	Monthly int64   `yaml:"monthly,omitempty"`
	Yearly  int64   `yaml:"yearly,omitempty"`
	Zone    string  `yaml:"zone,omitempty"`
	Count   int64   `yaml:"count,omitempty"`
	Regex   *string `yaml:"regex,omitempty"`
	Negate  bool    `yaml:"negate,omitempty"`
	Age     string  `yaml:"age,omitempty"`
	Below   string  `yaml:"below,omitempty"`
}

// MarshalYAML gives the policy as {keep: [rules]}, which FromYAML reads.
func (p *Policy) MarshalYAML() (any, error) {
	list := make([]printed, len(p.rules))
	for i, rule := range p.rules {
		switch rule := unfold(rule).(type) {
		case *Grid:
			list[i] = printed{Type: "grid", Grid: rule.text}
		case *calendar:
			n := rule.counts
			list[i] = printed{Type: "calendar", Hourly: n.Hourly, Daily: n.Daily, Weekly: n.Weekly, Monthly: n.Monthly, Yearly: n.Yearly, Zone: rule.zoneName()}
		case free:
			list[i] = printed{Type: "free", Below: rule.text}
		case lastN:
			list[i] = printed{Type: "last_n", Count: int64(rule)}
		case regex:
			expr := rule.re.String()
			list[i] = printed{Type: "regex", Regex: &expr, Negate: rule.negate}
		case notReplicated:
			list[i] = printed{Type: "not_replicated"}
		case arrived:
			list[i] = printed{Type: "arrived", Age: FormatDuration(int64(rule))}
		}
		if a, ok := rule.(among); ok {
			expr := a.re.String()
			list[i].Regex = &expr
		}
	}
	return map[string]any{"keep": list}, nil
}
