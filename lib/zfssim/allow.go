package zfssim

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A grant is what zfs allow gave to somebody on a dataset: to all below it,
// too, unless it is local (-l), and only there where it is descendent (-d).
type grant struct {
	Who   string   `json:"who"` // "user NAME", "group NAME" or "everyone"
	Perms []string `json:"perms"`
	Local bool     `json:"local,omitempty"`
	Desc  bool     `json:"desc,omitempty"`
}

var subcommandPerms = strings.Fields("allow clone create destroy diff hold mount promote receive release rename rollback send share snapshot bookmark load-key change-key userprop groupquota groupused userquota userused")

func (z *cmd) allow(args []string) int   { return z.grants(args, true) }
func (z *cmd) unallow(args []string) int { return z.grants(args, false) }

func (z *cmd) grants(args []string, add bool) int {
	o, err := getopt(args, "hldugecsr", nil)
	if err != nil {
		return z.usage("%v", err)
	}
	name := ""
	if n := len(o.args); n > 0 {
		name = o.args[n-1]
	}
	switch {
	case add && len(o.args) == 1:
		return z.look(func(t *tx) int { return z.showGrants(t, name) })
	case len(o.args) == 0, len(o.args) > 3, add && len(o.args) < 3 && !o.has('e'):
		return z.usage("zfs: error: wrong number of parameters")
	}
	return z.change(func(t *tx) int {
		target, ok := z.openObject(t, name, takeSet)
		if !ok {
			z.fail(1, "Failed to open dataset: %s", name)
			return -255
		}
		who, perms := "everyone", o.args[:len(o.args)-1]
		if !o.has('e') {
			if len(perms) == 0 {
				return -z.usage("zfs: error: wrong number of parameters")
			}
			who, perms = perms[0], perms[1:]
		}
		var list []string
		if len(perms) > 0 {
			list = strings.Split(perms[0], ",")
		}
		for _, p := range list {
			if native(p) == nil && !slices.Contains(subcommandPerms, p) && !strings.HasPrefix(p, "@") {
				return -z.fail(1, "cannot set permissions on '%s': operation not applicable to datasets of this type", name)
			}
		}
		for _, w := range strings.Split(who, ",") {
			target.d.grant(whoName(w, o), list, o, add)
		}
		return 0
	})
}

func whoName(w string, o *options) string {
	switch {
	case w == "everyone":
		return w
	case o.has('g'):
		return "group " + w
	}
	return "user " + w
}

func (d *ds) grant(who string, perms []string, o *options, add bool) {
	local, desc := o.has('l') && !o.has('d'), o.has('d') && !o.has('l')
	d.dirty = true
	for i := range d.Allow {
		g := &d.Allow[i]
		if g.Who != who || g.Local != local || g.Desc != desc {
			continue
		}
		have := map[string]bool{}
		for _, p := range g.Perms {
			have[p] = true
		}
		for _, p := range perms {
			have[p] = add
		}
		maps.DeleteFunc(have, func(_ string, on bool) bool { return !on })
		g.Perms = sortedKeys(have)
		if !add && (len(perms) == 0 || len(g.Perms) == 0) {
			d.Allow = slices.Delete(d.Allow, i, i+1)
		}
		return
	}
	if add {
		d.Allow = append(d.Allow, grant{who, slices.Sorted(slices.Values(perms)), local, desc})
	}
}

func (z *cmd) showGrants(t *tx, name string) int {
	target, ok := z.openObject(t, name, takeSet)
	if !ok {
		z.fail(1, "Failed to open dataset: %s", name)
		return 255
	}
	for d := target.d; d != nil; d = t.get(parentOf(d.name)) {
		if len(d.Allow) > 0 {
			head := "---- Permissions on " + d.name + " "
			fmt.Fprintln(z.out, head+strings.Repeat("-", max(0, 70-len(head))))
			showGrantKind(z, d, "Local permissions:", true, false)
			showGrantKind(z, d, "Descendent permissions:", false, true)
			showGrantKind(z, d, "Local+Descendent permissions:", false, false)
		}
		if parentOf(d.name) == "" {
			break
		}
	}
	return 0
}

func showGrantKind(z *cmd, d *ds, title string, local, desc bool) {
	var lines []string
	for _, prefix := range []string{"user", "group", "everyone"} {
		for _, g := range d.Allow {
			if g.Local == local && g.Desc == desc && strings.HasPrefix(g.Who, prefix) {
				lines = append(lines, "\t"+g.Who+" "+strings.Join(g.Perms, ","))
			}
		}
	}
	if len(lines) > 0 {
		fmt.Fprintf(z.out, "%s\n%s\n", title, strings.Join(lines, "\n"))
	}
}

// permitted reports whether the simulated user may do all that perms name on
// d. Without ZFS_SIM_USER, and for root, everything is allowed.
func (z *cmd) permitted(t *tx, d *ds, perms ...string) bool {
	if d.pool.ReadOnly && !slices.Contains(perms, "send") {
		z.denied = "pool is read-only"
		return false
	}
	user := z.env("ZFS_SIM_USER")
	if user == "" || user == "root" {
		return true
	}
	z.denied = "permission denied"
	return !slices.ContainsFunc(perms, func(perm string) bool { return !t.granted(d, user, perm) })
}

// permOf is the permission to set a property.
func permOf(prop string) string {
	if native(prop) == nil {
		return "userprop"
	}
	return prop
}

func permsOf(props map[string]string) (perms []string) {
	for name := range props {
		perms = append(perms, permOf(name))
	}
	return perms
}

func (t *tx) granted(d *ds, user, perm string) bool {
	for at := d; at != nil; at = t.get(parentOf(at.name)) {
		for _, g := range at.Allow {
			if (g.Who == "everyone" || g.Who == "user "+user) && slices.Contains(g.Perms, perm) &&
				(at == d && !g.Desc || at != d && !g.Local) {
				return true
			}
		}
		if parentOf(at.name) == "" {
			return false
		}
	}
	return false
}

// nearest is the dataset of that name, or the first above it that exists.
func (t *tx) nearest(name string) *ds {
	for ; name != ""; name = parentOf(name) {
		if d := t.get(name); d != nil {
			return d
		}
	}
	return nil
}
