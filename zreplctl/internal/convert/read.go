package convert

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"gopkg.in/yaml.v3"
)

// maxExpanded bounds what aliases can make of a file, in bytes.
const maxExpanded = 8 * MaxSize

// reader reads YAML. Aliases and merged keys are followed as far as the budget
// reaches; then nothing more is found, and err says so.
type reader struct{ left int }

func newReader() *reader { return &reader{maxExpanded} }

func (r *reader) err() error {
	if r.left < 0 {
		return errors.New("its aliases make it too large")
	}
	return nil
}

// document parses a text that must hold one document.
func (r *reader) document(text []byte) (*yaml.Node, error) {
	if err := checkSize(text); err != nil {
		return nil, err
	}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	var root, more yaml.Node
	if err := dec.Decode(&root); errors.Is(err, io.EOF) {
		return nil, errors.New("it is empty")
	} else if err != nil {
		return nil, err
	}
	if err := dec.Decode(&more); !errors.Is(err, io.EOF) {
		if err == nil {
			err = fmt.Errorf("line %d: a second document begins: one is allowed", more.Line)
		}
		return nil, err
	}
	return root.Content[0], nil
}

// follow returns what an alias stands for.
func (r *reader) follow(n *yaml.Node) *yaml.Node {
	if n == nil || r.left < 0 {
		return nil
	}
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if r.left -= 16 + len(n.Value); r.left < 0 {
		return nil
	}
	return n
}

// text is the text of a scalar.
func (r *reader) text(n *yaml.Node) string {
	if n = r.follow(n); n == nil || n.Kind != yaml.ScalarNode || n.ShortTag() == "!!null" {
		return ""
	}
	return n.Value
}

// items are the entries of a list.
func (r *reader) items(n *yaml.Node) (all []*yaml.Node) {
	if n = r.follow(n); n == nil || n.Kind != yaml.SequenceNode {
		return nil
	}
	for _, item := range n.Content {
		if item = r.follow(item); item != nil {
			all = append(all, item)
		}
	}
	return all
}

// texts are the entries of a list of texts.
func (r *reader) texts(n *yaml.Node) (all []string) {
	for _, item := range r.items(n) {
		all = append(all, r.text(item))
	}
	return all
}

// entry is a key with its value.
type entry struct {
	key   string
	line  int
	value *yaml.Node
}

// entries are those of a dictionary, with those that << merges into it.
func (r *reader) entries(n *yaml.Node) []entry { return r.merged(n, 0) }

func (r *reader) merged(n *yaml.Node, depth int) (all []entry) {
	const deepest = 20
	if n = r.follow(n); n == nil || n.Kind != yaml.MappingNode || depth > deepest {
		return nil
	}
	have := map[string]bool{}
	var merge []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := r.follow(n.Content[i]), r.follow(n.Content[i+1])
		if k == nil || v == nil {
			return all
		}
		if k.Tag == "!!merge" {
			merge = append(merge, v)
			continue
		}
		have[k.Value] = true
		all = append(all, entry{k.Value, n.Content[i].Line, v})
	}
	for _, from := range merge {
		parts := []*yaml.Node{from}
		if from.Kind == yaml.SequenceNode {
			parts = r.items(from)
		}
		for _, part := range parts {
			for _, e := range r.merged(part, depth+1) {
				if !have[e.key] {
					have[e.key] = true
					all = append(all, e)
				}
			}
		}
	}
	return all
}

// section is a dictionary whose keys are taken out one after the other, so
// that what is left is what nobody has read.
type section struct {
	r    *reader
	b    *block // where notes about it go
	what string
	line int
	rest []entry
	bad  bool // it is no dictionary
}

func (r *reader) section(b *block, what string, n *yaml.Node) *section {
	s := &section{r: r, b: b, what: what}
	if n = r.follow(n); n != nil {
		s.line = n.Line
		s.rest = r.entries(n)
		s.bad = n.Kind != yaml.MappingNode && n.ShortTag() != "!!null"
	}
	return s
}

// take returns a key's value and line; nil if it is not there.
func (s *section) take(key string) (*yaml.Node, int) {
	for i, e := range s.rest {
		if e.key == key {
			s.rest = append(s.rest[:i:i], s.rest[i+1:]...)
			return e.value, e.line
		}
	}
	return nil, s.line
}

func (s *section) text(key string) (string, int) {
	n, line := s.take(key)
	return s.r.text(n), line
}

func (s *section) is(key string) (bool, int) {
	text, line := s.text(key)
	return text == "true" || text == "yes" || text == "on", line
}

// sub is a section within this one.
func (s *section) sub(key string) *section {
	n, line := s.take(key)
	sub := s.r.section(s.b, s.what+": "+key, n)
	if n == nil {
		sub.line = line
	}
	return sub
}

// lacks notes that a key, if it is there, has no equal.
func (s *section) lacks(key, instead string) {
	if n, line := s.take(key); n != nil {
		s.b.note(line, "%s: %s: %s has no equal%s", s.what, key, s.show(n), instead)
	}
}

// end notes what nobody has read.
func (s *section) end() {
	if s.bad {
		s.b.note(s.line, "%s: not a dictionary: left out", s.what)
	}
	for _, e := range s.rest {
		s.b.note(e.line, "%s: unknown key %q (%s): left out", s.what, e.key, s.show(e.value))
	}
	s.rest = nil
}

// show is a value in a few words.
func (s *section) show(n *yaml.Node) string {
	const most = 60
	if n.Kind != yaml.ScalarNode {
		out, err := yaml.Marshal(flow(s.r, n, 0))
		if err != nil {
			return "its value"
		}
		return cut(string(bytes.TrimSpace(out)), most)
	}
	return cut(fmt.Sprintf("%q", n.Value), most)
}

func cut(text string, most int) string {
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}

// flow copies the beginning of a value, to be shown in one line.
func flow(r *reader, n *yaml.Node, depth int) *yaml.Node {
	const deepest, longest = 4, 8
	if n = r.follow(n); n == nil || depth > deepest {
		return &yaml.Node{Kind: yaml.ScalarNode, Value: "…"}
	}
	c := &yaml.Node{Kind: n.Kind, Value: n.Value, Tag: "", Style: yaml.FlowStyle}
	if n.Kind == yaml.ScalarNode {
		c.Style, c.Value = 0, cut(n.Value, 60)
	}
	for _, sub := range n.Content[:min(len(n.Content), longest)] {
		c.Content = append(c.Content, flow(r, sub, depth+1))
	}
	return c
}
