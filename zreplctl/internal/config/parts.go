package config

import (
	"fmt"
	"path/filepath"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/identity"
	"github.com/zrepl-tools/zrepl-tools/lib/mapfilter"
)

func (d *decoder) global(n *yaml.Node, g *Global) {
	d.dict(n, "global", []string{"rundir", "control", "serve"}, func(key string, k, v *yaml.Node) {
		switch key {
		case "rundir":
			g.RunDir = d.path(v, "global: rundir")
		case "control":
			d.dict(v, "global: control", []string{"sockpath"}, func(_ string, _, v *yaml.Node) {
				g.Control = d.path(v, "global: control: sockpath")
			})
		case "serve":
			d.dict(v, "global: serve", []string{"stdinserver"}, func(_ string, _, v *yaml.Node) {
				d.dict(v, "global: serve: stdinserver", []string{"sockdir"}, func(_ string, _, v *yaml.Node) {
					g.SockDir = d.path(v, "global: serve: stdinserver: sockdir")
				})
			})
		}
	})
}

// path reads the path of a file or a directory, which must be absolute: a
// daemon has no directory of its own.
func (d *decoder) path(n *yaml.Node, what string) string {
	s, ok := d.str(n, what)
	if ok && !filepath.IsAbs(s) {
		d.wrong(n, `%s: %q is not absolute: a path starts with "/"`, what, s)
		return ""
	}
	if ok {
		s = filepath.Clean(s)
	}
	return s
}

func (d *decoder) connect(n *yaml.Node, what string) *Connect {
	c := &Connect{Port: defaultPort}
	keys := []string{"type", "host", "user", "port", "identity_file", "options", "command"}
	at := map[string]*yaml.Node{}
	ok := d.dict(n, what, keys, func(key string, k, v *yaml.Node) {
		at[key] = k
		part := what + ": " + key
		switch key {
		case "type":
			c.Type = d.word(v, part, "ssh+stdinserver", "exec")
		case "host":
			c.Host = d.sshWord(v, part)
		case "user":
			c.User = d.sshWord(v, part)
		case "port":
			c.Port = d.integer(v, part, 1, 65535)
		case "identity_file":
			c.IdentityFile = d.path(v, part)
		case "options":
			c.Options = d.strings(v, part)
		case "command":
			c.Command = d.strings(v, part)
		}
	})
	if ok {
		d.connectKeys(n, what, c, at)
	}
	return c
}

// connectKeys checks that the keys go with the type of connection.
func (d *decoder) connectKeys(n *yaml.Node, what string, c *Connect, at map[string]*yaml.Node) {
	ssh := []string{"host", "user", "port", "identity_file", "options"}
	must, never := "", []string(nil)
	switch c.Type {
	case "ssh+stdinserver":
		must, never = "host", []string{"command"}
	case "exec":
		must, never = "command", ssh
		c.Port = 0
	default:
		if at["type"] == nil {
			d.wrong(n, `%s: key "type" is missing: ssh+stdinserver or exec`, what)
		}
		return
	}
	if at[must] == nil {
		d.wrong(n, "%s: key %q is missing", what, must)
	}
	for _, key := range never {
		if at[key] != nil {
			d.wrong(at[key], "%s: a connection of type %s has no key %q", what, c.Type, key)
		}
	}
}

// sshWord reads a host or a user, which must not look like an option to ssh
// nor hold what a shell or ssh would take apart.
func (d *decoder) sshWord(n *yaml.Node, what string) string {
	s, ok := d.str(n, what)
	switch {
	case !ok:
	case s == "":
		d.wrong(n, "%s: empty", what)
	case s[0] == '-':
		d.wrong(n, `%s: %q starts with "-"`, what, s)
	case strings.ContainsAny(s, " \t\n'\"\\$`;&|<>(){}*?/@"):
		d.wrong(n, "%s: %q holds a character that is part of no name", what, s)
	}
	return s
}

func (d *decoder) strings(n *yaml.Node, what string) []string {
	var all []string
	d.list(n, what, func(v *yaml.Node) {
		s, ok := d.str(v, fmt.Sprintf("%s %d", what, len(all)+1))
		if ok && strings.ContainsRune(s, 0) {
			d.wrong(v, "%s: a NUL in %q", what, s)
		}
		all = append(all, s)
	})
	if len(all) > 0 && all[0] == "" && strings.HasSuffix(what, "command") {
		d.wrong(n, "%s: its first word is empty", what)
	}
	return all
}

func (d *decoder) serve(n *yaml.Node, what string) *Serve {
	s := &Serve{}
	at := map[string]bool{}
	ok := d.dict(n, what, []string{"type", "client_identity"}, func(key string, _, v *yaml.Node) {
		at[key] = true
		part := what + ": " + key
		if key == "type" {
			s.Type = d.word(v, part, "stdinserver")
			return
		}
		id, ok := d.str(v, part)
		if err := identity.Check(id); ok && err != nil {
			d.wrong(v, "%s: bad identity %q: %v", part, id, err)
			return
		}
		s.ClientIdentity = id
	})
	for _, key := range []string{"type", "client_identity"} {
		if ok && !at[key] {
			d.wrong(n, "%s: key %q is missing", what, key)
		}
	}
	return s
}

// rules reads a map, or a filter.
func (d *decoder) rules(n *yaml.Node, what string, isMap bool) *mapfilter.Rules {
	n, ok := d.resolve(n)
	if !ok {
		return nil
	}
	rules, err := mapfilter.FromYAML(n, "")
	if err == nil && isMap {
		err = rules.CheckMap()
	} else if err == nil {
		err = rules.CheckFilter()
	}
	if err != nil {
		d.placed(n, what, err)
		return nil
	}
	return rules
}

func (d *decoder) datasetName(n *yaml.Node, what string) string {
	s, ok := d.str(n, what)
	if err := dataset.CheckName(s); ok && err != nil {
		d.wrong(n, "%s: %q is no dataset: %v", what, s, err)
		return ""
	}
	return s
}

// maxPrefix leaves room behind the prefix for a snapshot's time.
const maxPrefix = 128

func (d *decoder) prefix(n *yaml.Node, what string) string {
	s, ok := d.str(n, what)
	if !ok {
		return ""
	}
	err := dataset.CheckShort(s)
	switch {
	case s == "":
		d.wrong(n, "%s: empty: leave the key out", what)
	case err != nil:
		d.wrong(n, "%s: %q can start no snapshot's name: %v", what, s, err)
	case len(s) > maxPrefix:
		d.wrong(n, "%s: longer than %d characters", what, maxPrefix)
	}
	return s
}

func (d *decoder) send(n *yaml.Node, what string, s *Send) {
	keys := []string{"encrypted", "large_blocks", "compressed", "embedded", "properties"}
	d.dict(n, what, keys, func(key string, _, v *yaml.Node) {
		part := what + ": " + key
		switch key {
		case "encrypted":
			s.Decrypt = d.word(v, part, "raw", "plain") == "plain"
		case "large_blocks":
			s.LargeBlocks = d.boolean(v, part)
		case "compressed":
			s.Compressed = d.boolean(v, part)
		case "embedded":
			s.Embedded = d.boolean(v, part)
		case "properties":
			s.Properties = d.boolean(v, part)
		}
	})
}

func (d *decoder) recv(n *yaml.Node, what string, r *Recv) {
	keys := []string{"override", "exclude", "placeholder_encryption"}
	d.dict(n, what, keys, func(key string, _, v *yaml.Node) {
		part := what + ": " + key
		switch key {
		case "override":
			r.Override = d.properties(v, part)
		case "exclude":
			d.list(v, part, func(v *yaml.Node) {
				if name, ok := d.str(v, part); ok && d.property(v, part, name) {
					r.Exclude = append(r.Exclude, name)
				}
			})
		case "placeholder_encryption":
			r.PlainPlaceholders = d.word(v, part, "inherit", "off") == "off"
		}
	})
	for _, name := range r.Exclude {
		if _, both := r.Override[name]; both {
			d.wrong(n, "%s: property %q is both overridden and excluded", what, name)
		}
	}
}
