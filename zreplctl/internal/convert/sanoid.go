package convert

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
)

// Sanoid turns sanoid.conf into ours.
func Sanoid(text []byte) (*Result, error) {
	if err := checkSize(text); err != nil {
		return nil, err
	}
	doc := newDocument("sanoid.conf")
	s := &sanoid{doc: doc, templates: map[string]*part{}}
	if err := s.read(string(text)); err != nil {
		return nil, err
	}
	for _, p := range s.parts {
		s.resolve(p)
	}
	s.unused()
	for _, p := range s.parts {
		s.job(p)
	}
	return doc.result()
}

// maxSections bounds the pairs of sections that are compared.
const maxSections = 2000

// sanoid is a file of sanoid that is being converted.
type sanoid struct {
	doc       *document
	templates map[string]*part
	parts     []*part // the sections about datasets
}

// setting is a value and where it stands.
type setting struct {
	key, value string
	line       int
}

// part is a section.
type part struct {
	name     string // of the template, or the dataset
	line     int
	settings []setting
	has      map[string]bool    // the keys of settings
	resolved map[string]setting // with those of its templates
	used     bool               // a template: by a section
}

// read takes the file apart.
func (s *sanoid) read(text string) error {
	if !utf8.ValidString(text) {
		return fmt.Errorf("it is no text in UTF-8")
	}
	var at *part
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimSpace(strings.TrimPrefix(line, "\ufeff"))
		key, value, isSetting := strings.Cut(line, "=")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		switch {
		case line == "" || line[0] == '#' || line[0] == ';':
		case line[0] == '[' && line[len(line)-1] == ']':
			at = s.section(strings.TrimSpace(line[1:len(line)-1]), number)
			if len(s.parts)+len(s.templates) > maxSections {
				return fmt.Errorf("line %d: more than %d sections", number, maxSections)
			}
		case !isSetting || key == "":
			return fmt.Errorf("line %d: %q is neither a section nor a setting", number, cut(line, 60))
		case at == nil:
			return fmt.Errorf("line %d: %q comes before the first section", number, cut(key, 60))
		default:
			if at.has == nil {
				at.has = map[string]bool{}
			}
			if at.has[key] {
				s.doc.head.note(number, "section %s: %s is set again: the last one counts", at.name, key)
			}
			at.has[key] = true
			at.settings = append(at.settings, setting{key, value, number})
		}
	}
	return nil
}

func (s *sanoid) section(name string, line int) *part {
	if template, is := strings.CutPrefix(name, "template_"); is {
		if s.templates[template] == nil {
			s.templates[template] = &part{name: template, line: line}
		}
		return s.templates[template]
	}
	for _, p := range s.parts {
		if p.name == name { // sections of one name are one
			return p
		}
	}
	p := &part{name: name, line: line}
	s.parts = append(s.parts, p)
	return p
}

// defaults are sanoid's own, as far as they matter here.
var defaults = map[string]string{
	"autosnap": "yes", "autoprune": "yes", "frequently": "0", "frequent_period": "15",
	"hourly": "48", "daily": "90", "weekly": "0", "monthly": "6", "yearly": "0",
	"hourly_min": "0", "daily_hour": "23", "daily_min": "59",
	"weekly_wday": "1", "weekly_hour": "23", "weekly_min": "30",
	"monthly_mday": "1", "monthly_hour": "0", "monthly_min": "0",
	"yearly_mon": "1", "yearly_mday": "1", "yearly_hour": "0", "yearly_min": "0",
}

// above are the sections whose recursion reaches a section, the nearest last.
func (s *sanoid) above(p *part) (all []*part) {
	for _, other := range s.parts {
		if other != p && other.recursive() != "" && dataset.Within(p.dataset(), other.dataset()) {
			all = append(all, other)
		}
	}
	slices.SortStableFunc(all, func(a, b *part) int { return len(a.dataset()) - len(b.dataset()) })
	return all
}

// resolve puts the settings of a section together: the default template, those
// of the sections above whose recursion reaches it, and its own, templates
// first.
func (s *sanoid) resolve(p *part) {
	p.resolved = map[string]setting{}
	if t := s.templates["default"]; t != nil {
		p.take(t)
	}
	for _, from := range append(s.above(p), p) {
		for _, name := range strings.Split(from.own("use_template"), ",") {
			if name = strings.TrimSpace(name); name == "" {
				continue
			}
			if t := s.templates[name]; t != nil {
				p.take(t)
			} else if from == p {
				s.doc.head.note(p.line, "section %s: template_%s does not exist", p.name, name)
			}
		}
		p.take(from)
	}
	if strings.HasPrefix(p.name, "template") {
		s.doc.head.note(p.line, "section %s is read as a dataset: a template's name begins with template_", p.name)
	}
}

func (p *part) take(from *part) {
	from.used = true
	for _, o := range from.settings {
		p.resolved[o.key] = o
	}
}

// own is a setting that the section itself has.
func (p *part) own(key string) (value string) {
	for _, o := range p.settings {
		if o.key == key {
			value = o.value
		}
	}
	return value
}

// dataset is what the section is about.
func (p *part) dataset() string {
	if path := p.own("path"); path != "" {
		return path
	}
	return p.name
}

// recursive is how the section reaches the datasets below it; empty: not.
func (p *part) recursive() string {
	if value := strings.ToLower(p.own("recursive")); value == "zfs" || isYes(value) {
		return value
	}
	return ""
}

func isYes(value string) bool {
	switch strings.ToLower(value) {
	case "1", "yes", "on", "true":
		return true
	}
	return false
}

func (p *part) value(key string) string {
	if o, there := p.resolved[key]; there && o.value != "" {
		return o.value
	}
	return defaults[key]
}

// number is a setting that counts something, within bounds.
func (p *part) number(j *job, key string, least, most int) int {
	n, err := strconv.Atoi(p.value(key))
	if err == nil && n >= least && n <= most {
		return n
	}
	fallback, _ := strconv.Atoi(defaults[key])
	j.note(p.resolved[key].line, "section %s: %s: %q is not a number from %d to %d: %d is taken", p.name, key, p.value(key), least, most, fallback)
	return fallback
}
