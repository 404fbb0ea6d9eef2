package config

import (
	"fmt"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/zrepl-tools/zrepl-tools/lib/transport"
)

// Connect says how a job reaches the other host.
type Connect = transport.Connect

var connectKeys = []string{"type", "host", "user", "port", "identity_file", "options", "command"}

func (d *decoder) connect(n *yaml.Node, what string) *Connect {
	c := &Connect{}
	n, ok := d.resolve(n)
	if !ok {
		return c
	}
	if n = d.connectNamed(n, what); n == nil {
		return c
	}
	at := map[string]*yaml.Node{}
	if d.connectParts(n, what, c, at, append([]string{keyBase}, connectKeys...)) {
		d.checkConnect(n, what, c, at)
	}
	return c
}

// connectParts reads the keys that are there.
func (d *decoder) connectParts(n *yaml.Node, what string, c *Connect, at map[string]*yaml.Node, keys []string) bool {
	return d.dict(n, what, keys, func(key string, k, v *yaml.Node) {
		at[key] = k
		part := what + ": " + key
		switch key {
		case "type":
			c.Type = d.word(v, part, transport.TypeSSH, transport.TypeExec)
		case "host":
			c.Host = d.host(v, part)
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
}

// checkConnect checks that the keys go with the type of connection.
func (d *decoder) checkConnect(n *yaml.Node, what string, c *Connect, at map[string]*yaml.Node) {
	must, never := "", []string(nil)
	switch c.Type {
	case transport.TypeSSH:
		must, never = "host", []string{"command"}
	case transport.TypeExec:
		must, never = "command", []string{"host", "user", "port", "identity_file", "options"}
	default:
		if at["type"] == nil {
			d.wrong(n, `%s: key "type" is missing: %s or %s`, what, transport.TypeSSH, transport.TypeExec)
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
	if at["command"] != nil && must == "command" && len(c.Command) == 0 {
		d.wrong(at["command"], "%s: the command is empty", what)
	}
}

func (d *decoder) strings(n *yaml.Node, what string) []string {
	var all []string
	d.list(n, what, func(v *yaml.Node) {
		s, ok := d.str(v, fmt.Sprintf("%s %d", what, len(all)+1))
		if ok && strings.ContainsRune(s, 0) {
			d.wrong(v, "%s: a NUL in %q", what, s)
		}
		if ok && s == "" && len(all) == 0 {
			d.wrong(v, "%s: its first word is empty", what)
		}
		all = append(all, s)
	})
	return all
}
