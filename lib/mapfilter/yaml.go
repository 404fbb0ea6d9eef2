package mapfilter

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"gopkg.in/yaml.v3"
)

// FilterFromYAML reads rules that CheckFilter accepts from a node of YAML: a
// dictionary of patterns and results, both strings. file stands in front of
// line and column in messages and may be empty.
func FilterFromYAML(node *yaml.Node, file string) (*Rules, error) {
	return fromYAML(node, file, (*Rules).CheckFilter)
}

// MapFromYAML is FilterFromYAML for rules that CheckMap accepts.
func MapFromYAML(node *yaml.Node, file string) (*Rules, error) {
	return fromYAML(node, file, (*Rules).CheckMap)
}

func fromYAML(node *yaml.Node, file string, check func(*Rules) error) (*Rules, error) {
	rules, wrong := nodes(node, file)
	good, err := parseAll(rules)
	if err := errors.Join(wrong, err, check(good)); err != nil {
		return nil, err
	}
	return good, nil
}

// nodes returns the rules of the entries that are strings, and what is wrong
// with the others.
func nodes(node *yaml.Node, file string) ([]Rule, error) {
	at := func(n *yaml.Node) Pos { return Pos{file, n.Line, n.Column} }
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	if node.Kind != yaml.MappingNode {
		return nil, &Error{Pos: at(node), Problem: "rules are a dictionary of patterns and results"}
	}
	rules := make([]Rule, 0, len(node.Content)/2)
	var errs []error
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		if err := isText(key, false); err != nil {
			errs = append(errs, &Error{at(key), key.Value, "pattern: " + err.Error()})
			continue
		}
		if err := isText(value, true); err != nil {
			errs = append(errs, &Error{at(value), key.Value, fmt.Sprintf("result of pattern %q: %v", key.Value, err)})
			continue
		}
		rules = append(rules, Rule{Pattern: key.Value, Result: value.Value, Pos: at(key), At: at(value)})
	}
	return rules, errors.Join(errs...)
}

// isText reports what is wrong with a key, or with a result.
func isText(n *yaml.Node, isResult bool) error {
	switch {
	case n.Kind != yaml.ScalarNode:
		return errors.New("it must be a string")
	case n.ShortTag() == "!!str":
		return nil
	}
	return notText(n, isResult)
}

// String prints the rules as a dictionary of YAML, ordered by pattern, with
// every string in quotes.
func (rs *Rules) String() string {
	if len(rs.all) == 0 {
		return "{}\n"
	}
	var b strings.Builder
	for _, r := range rs.All() {
		fmt.Fprintf(&b, "%q: %q\n", r.Pattern, r.Result)
	}
	return b.String()
}

// MarshalYAML gives the rules as a node of YAML.
func (rs *Rules) MarshalYAML() (any, error) {
	node := &yaml.Node{Kind: yaml.MappingNode}
	for _, r := range rs.All() {
		for _, text := range []string{r.Pattern, r.Result} {
			node.Content = append(node.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text, Style: yaml.DoubleQuotedStyle})
		}
	}
	return node, nil
}

// Read reads the rules of a file of YAML, at most maxFile bytes of it, for
// Parse. file is its name in messages.
func Read(r io.Reader, file string) ([]Rule, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	switch {
	case err != nil:
		return nil, err
	case len(text) > maxFile:
		return nil, &Error{Pos: Pos{File: file}, Problem: fmt.Sprintf("longer than %d bytes", maxFile)}
	}
	if rules, ok := quick(text, file); ok {
		return rules, nil
	}
	return slow(text, file)
}

// slow reads any form of YAML.
func slow(text []byte, file string) ([]Rule, error) {
	var doc, more yaml.Node
	in := yaml.NewDecoder(bytes.NewReader(text))
	switch err := in.Decode(&doc); {
	case err == io.EOF:
		return nil, &Error{Pos: Pos{File: file}, Problem: "no rules: the file is empty"}
	case err != nil:
		return nil, &Error{Pos: Pos{File: file}, Problem: err.Error()}
	}
	switch err := in.Decode(&more); {
	case err == nil:
		return nil, &Error{Pos: Pos{file, more.Line, more.Column}, Problem: "a second document: rules are one"}
	case err != io.EOF:
		return nil, &Error{Pos: Pos{File: file}, Problem: err.Error()}
	}
	return nodes(doc.Content[0], file)
}

// maxFile bounds what a file of rules may hold, in bytes.
const maxFile = 8 << 20
