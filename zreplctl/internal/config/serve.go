package config

import (
	"slices"

	"gopkg.in/yaml.v3"

	"github.com/zrepl-tools/zrepl-tools/lib/identity"
)

// serve reads who may connect: client_identity is the short form of
// client_identities with one name.
func (d *decoder) serve(n *yaml.Node, what string, t Type) *Serve {
	s := &Serve{}
	keys := []string{"type", "client_identity"}
	if t == Source {
		keys = append(keys, "client_identities")
	}
	at := map[string]*yaml.Node{}
	clear(d.meant)
	ok := d.dict(n, what, keys, func(key string, k, v *yaml.Node) {
		at[key] = k
		part := what + ": " + key
		switch key {
		case "type":
			s.Type = d.word(v, part, "stdinserver")
		case "client_identity":
			s.Clients = append(s.Clients, d.client(v, part)...)
		case "client_identities":
			s.Clients = append(s.Clients, d.clients(v, part)...)
		}
	})
	if !ok {
		return s
	}
	if at["type"] == nil && !d.meant["type"] {
		d.wrong(n, "%s: key %q is missing", what, "type")
	}
	one, many := at["client_identity"], at["client_identities"]
	switch {
	case one != nil && many != nil:
		d.wrong(many, "%s: client_identity and client_identities say the same thing: write one of them", what)
	case one == nil && many == nil && !d.meant["client_identity"] && !d.meant["client_identities"]:
		d.wrong(n, "%s: key %q is missing", what, "client_identity")
	}
	return s
}

// client reads one identity; none after an error.
func (d *decoder) client(n *yaml.Node, what string) []string {
	id, ok := d.str(n, what)
	if !ok {
		return nil
	}
	if err := identity.Check(id); err != nil {
		d.wrong(n, "%s: bad identity %q: %v", what, id, err)
		return nil
	}
	return []string{id}
}

func (d *decoder) clients(n *yaml.Node, what string) (all []string) {
	before := len(d.problems)
	ok := d.list(n, what, func(v *yaml.Node) {
		for _, id := range d.client(v, what) {
			if slices.Contains(all, id) {
				d.wrong(v, "%s: the client %q is written twice", what, id)
				continue
			}
			all = append(all, id)
		}
	})
	if ok && len(all) == 0 && len(d.problems) == before {
		d.wrong(n, "%s: the list is empty", what)
	}
	return all
}

// encode writes the short form where it says all.
func (s *Serve) encode() *dict {
	m := dictionary()
	m.put("type", text(s.Type))
	if len(s.Clients) == 1 {
		m.put("client_identity", text(s.Clients[0]))
	} else {
		m.put("client_identities", list(s.Clients))
	}
	return m
}
