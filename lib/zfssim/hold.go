package zfssim

import (
	"bufio"
	"fmt"
	"strings"
)

const maxTag = 256 - 3 // MAXNAMELEN less what the kernel puts before it

func (z *cmd) hold(args []string) int    { return z.holdRelease(args, true) }
func (z *cmd) release(args []string) int { return z.holdRelease(args, false) }

func (z *cmd) holdRelease(args []string, holding bool) int {
	o, err := getopt(args, "rt", nil)
	if err != nil {
		return z.usage("%v", err)
	}
	if len(o.args) < 2 {
		z.printUsage(z.err)
		return 2
	}
	tag := o.args[0]
	if holding && strings.HasPrefix(tag, ".") {
		return z.usage("tag may not start with '.'")
	}
	result := 0
	for _, full := range o.args[1:] {
		code := z.change(func(t *tx) int { return z.holdOne(t, full, tag, o.has('r'), holding) })
		if code != 0 {
			result = 1
		}
	}
	return result
}

func (z *cmd) holdOne(t *tx, full, tag string, recursive, holding bool) int {
	name, short, ok := strings.Cut(full, "@")
	if !ok {
		return -z.fail(1, "'%s' is not a snapshot", full)
	}
	o, ok := z.openObject(t, name, takeSet)
	if !ok {
		return -1
	}
	sets := []*ds{o.d}
	if recursive {
		sets = t.tree(name, -1)
	}
	verb, perm := "release hold from", "release"
	if holding {
		verb, perm = "hold", "hold"
	}
	found := 0
	for _, d := range sets {
		v := t.find(d, "@"+short)
		if v == nil {
			continue
		}
		found++
		_, held := v.Holds[tag]
		switch {
		case !holding && !held && !recursive: // zfs itself looks for that first
			return -z.fail(1, "cannot release hold from snapshot '%s@%s': no such tag on this dataset", d.name, short)
		case !z.permitted(t, d, perm):
			return -z.fail(1, "cannot %s: %s", perm, z.denied)
		case holding && len(tag) > maxTag:
			return -z.fail(1, "cannot hold snapshot '%s@%s': tag too long", d.name, short)
		case holding && held:
			return -z.fail(1, "cannot hold snapshot '%s@%s': tag already exists on this dataset", d.name, short)
		}
	}
	if found == 0 {
		return -z.fail(1, "cannot %s snapshot '%s@%s': dataset does not exist", verb, name, short)
	}
	any := false
	for _, d := range sets {
		if v := t.find(d, "@"+short); v != nil {
			if _, held := v.Holds[tag]; holding || held {
				any = true
				t.setHold(d, v, tag, holding)
			}
		}
	}
	if !any {
		return -z.fail(1, "cannot release hold from snapshot '%s@%s': no such tag on this dataset", name, short)
	}
	return 0
}

// setHold adds or takes away a hold; the last release of a snapshot that was
// destroyed with -d destroys it.
func (t *tx) setHold(d *ds, v *version, tag string, holding bool) {
	d.moved = true
	if holding {
		if v.Holds == nil {
			v.Holds = map[string]int64{}
		}
		v.Holds[tag] = t.now
		return
	}
	delete(v.Holds, tag)
	if v.Defer && len(v.Holds) == 0 && len(t.clonesOf(object{d, v})) == 0 {
		t.removeVersion(d, v)
	}
}

func (z *cmd) holds(args []string) int {
	o, err := getopt(args, "rHp", nil)
	if err != nil {
		return z.usage("%v", err)
	}
	if len(o.args) == 0 {
		z.printUsage(z.err)
		return 2
	}
	return z.look(func(t *tx) int { return z.holdsIn(t, o) })
}

func (z *cmd) holdsIn(t *tx, o *options) int {
	var rows [][3]string
	any := false
	code := 0
	for _, full := range o.args {
		name, short, ok := strings.Cut(full, "@")
		if !ok {
			z.fail(1, "'%s' is not a snapshot", full)
			code = 1
			continue
		}
		target, ok := z.openObject(t, name, takeSet)
		if !ok {
			code = 1
			continue
		}
		sets := []*ds{target.d}
		if o.has('r') {
			sets = t.tree(name, -1)
		}
		found := false
		for _, d := range sets {
			v := t.find(d, "@"+short)
			if v == nil {
				continue
			}
			found, any = true, true
			for _, tag := range sortedKeys(v.Holds) {
				rows = append(rows, [3]string{v.full(d), tag, when(v.Holds[tag], o.has('p'))})
			}
		}
		if !found {
			z.fail(1, "cannot open '%s': dataset does not exist", full)
			code = 1
		}
	}
	out := bufio.NewWriter(z.out)
	printHolds(out, rows, o.has('H'))
	out.Flush()
	if !any {
		z.fail(1, "no datasets available")
	}
	return code
}

func printHolds(out *bufio.Writer, rows [][3]string, script bool) {
	if script {
		for _, r := range rows {
			fmt.Fprintf(out, "%s\t%s\t%s\n", r[0], r[1], r[2])
		}
		return
	}
	a, b := len("NAME"), len("TAG")
	for _, r := range rows {
		a, b = max(a, len(r[0])), max(b, len(r[1]))
	}
	fmt.Fprintf(out, "%-*s  %-*s  %s\n", a, "NAME", b, "TAG", "TIMESTAMP")
	for _, r := range rows {
		fmt.Fprintf(out, "%-*s  %-*s  %s\n", a, r[0], b, r[1], r[2])
	}
}
