package config

import (
	"net/netip"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// host reads a host's name or address. ssh takes no port and no user in it.
func (d *decoder) host(n *yaml.Node, what string) string {
	s, ok := d.str(n, what)
	if !ok {
		return ""
	}
	if user, host, both := strings.Cut(s, "@"); both && user != "" && host != "" {
		d.wrong(n, "%s: %q names a user, too: write host: %s and user: %s", what, s, host, user)
		return ""
	}
	if address, after, brackets := strings.Cut(strings.TrimPrefix(s, "["), "]"); brackets && s[0] == '[' {
		instead := "host: \"" + address + "\""
		if port, is := strings.CutPrefix(after, ":"); is {
			instead += " and port: " + port
		}
		d.wrong(n, "%s: %q is not an address: write %s", what, s, instead)
		return ""
	}
	if name, port, colon := strings.Cut(s, ":"); colon {
		if _, err := netip.ParseAddr(s); err == nil {
			return s
		}
		if _, err := strconv.ParseUint(port, 10, 16); err == nil && name != "" {
			d.wrong(n, "%s: %q has a port: write host: %s and port: %s", what, s, name, port)
		} else {
			d.wrong(n, "%s: %q is not an address: only an IPv6 address holds a colon", what, s)
		}
		return ""
	}
	return d.sshWord(n, what)
}

// sshWord reads a host or a user, which must not look like an option to ssh
// nor hold what a shell or ssh would take apart.
func (d *decoder) sshWord(n *yaml.Node, what string) string {
	s, ok := d.str(n, what)
	bad := strings.IndexAny(s, " \t\n'\"\\$`;&|<>(){}[]*?/@")
	switch {
	case !ok:
		return ""
	case s == "":
		d.wrong(n, "%s: empty", what)
	case s[0] == '-':
		d.wrong(n, `%s: %q starts with "-"`, what, s)
	case bad >= 0 && s[bad] == ' ':
		d.wrong(n, "%s: %q holds a space, which is not allowed here", what, s)
	case bad >= 0:
		d.wrong(n, "%s: %q holds %q, which is not allowed here", what, s, s[bad])
	}
	return s
}
