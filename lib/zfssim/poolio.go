package zfssim

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

func (z *cmd) poolGet(args []string) int {
	o, err := getopt(args, "Hpo:j", nil)
	if err != nil {
		return z.usage("%v", err)
	}
	if len(o.args) == 0 {
		return z.usage("missing property argument")
	}
	props := strings.Split(o.args[0], ",")
	if o.args[0] == "all" {
		props = sortedKeys(poolColumns)
	}
	for i, p := range props {
		props[i] = or(poolAlias[p], p)
		if _, ok := poolColumns[props[i]]; !ok && p != "load_guid" && !strings.HasPrefix(p, "feature@") {
			return z.usage("bad property list: invalid property '%s'", p)
		}
	}
	fields := []string{"name", "property", "value", "source"}
	if text, ok := o.val('o'); ok {
		fields = strings.Split(text, ",")
	}
	return z.look(func(t *tx) int {
		names := o.args[1:]
		if len(names) == 0 {
			names = t.poolNames()
		}
		code := 0
		var rows [][5]string
		for _, name := range names {
			p := t.pool(name)
			if p == nil {
				z.fail(1, z.trait().getNoPool, name)
				code = 1
				continue
			}
			for _, prop := range props {
				v, source := t.poolProp(p, prop, o.has('p'))
				rows = append(rows, [5]string{name, prop, v, "-", source})
			}
		}
		out := bufio.NewWriter(z.out)
		printRows(out, rows, fields, o.has('H'))
		out.Flush()
		return code
	})
}

func (z *cmd) poolExport(args []string) int {
	o, err := getopt(args, "afF", nil)
	if err != nil {
		return z.usage("%v", err)
	}
	names := o.args
	if len(names) == 0 && !o.has('a') {
		return z.usage("missing pool argument")
	}
	return z.change(func(t *tx) int {
		if o.has('a') {
			names = t.poolNames()
		}
		for _, name := range names {
			if t.pool(name) == nil {
				return -z.fail(1, "cannot open '%s': no such pool", name)
			}
			t.leave(t.tree(name, -1))
			for _, d := range t.tree(name, -1) {
				if d.Key != nil && d.Key.Loaded {
					d.Key.Loaded, d.dirty = false, true
				}
			}
			t.after = append(t.after, op{verb: opMove, a: "pools/" + name, b: t.exportPlace(name)}, op{verb: opRemove, a: "dev/zvol/" + name})
		}
		return 0
	})
}

func (z *cmd) poolImport(args []string) int {
	o, err := getopt(args, "aD:d:fFNR:o:c:lm", nil)
	if err != nil {
		return z.usage("%v", err)
	}
	return z.change(func(t *tx) int {
		pools := t.exported()
		if len(o.args) == 0 && !o.has('a') {
			return z.tellExported(pools)
		}
		for _, at := range pools {
			if o.has('a') {
				if code := z.importOne(t, o, at, at.Name); code != 0 {
					return code
				}
			}
		}
		if len(o.args) == 0 {
			return 0
		}
		if code := z.poolThere(t, o.args[len(o.args)-1]); code != 0 {
			return code
		}
		at, code := z.findExported(pools, o.args[0])
		if code != 0 {
			return code
		}
		return z.importOne(t, o, at, o.args[len(o.args)-1])
	})
}

// An exportedPool is a pool that can be imported, and the directory it lies in.
type exportedPool struct {
	pool
	dir string
}

// exportPlace is where a pool goes: there may be others of its name.
func (t *tx) exportPlace(name string) string {
	place := "exported/" + name
	if _, err := os.Lstat(t.path(place)); err == nil {
		place += "@" + strconv.FormatUint(t.pool(name).GUID, 10)
	}
	return place
}

func (t *tx) exported() []exportedPool {
	entries, _ := os.ReadDir(t.path("exported"))
	var out []exportedPool
	for _, e := range entries {
		at := exportedPool{dir: "exported/" + e.Name()}
		if readJSON(t.path(at.dir, "pool.json"), &at.pool) {
			at.Name, _, _ = strings.Cut(e.Name(), "@")
			out = append(out, at)
		}
	}
	return out
}

func (z *cmd) tellExported(pools []exportedPool) int {
	if len(pools) == 0 {
		return -z.fail(1, "no pools available to import")
	}
	for _, p := range pools {
		fmt.Fprintf(z.out, "  pool: %s\n    id: %d\n state: ONLINE\naction: The pool can be imported using its name or numeric identifier.\n", p.Name, p.GUID)
	}
	return 0
}

// findExported finds a pool by its name, if it is the only one of that, or by
// its guid.
func (z *cmd) findExported(pools []exportedPool, word string) (exportedPool, int) {
	var found []exportedPool
	for _, p := range pools {
		if p.Name == word || strconv.FormatUint(p.GUID, 10) == word {
			found = append(found, p)
		}
	}
	switch len(found) {
	case 0:
		return exportedPool{}, -z.fail(1, "cannot import '%s': no such pool available", word)
	case 1:
		return found[0], 0
	}
	return exportedPool{}, -z.fail(1, "cannot import '%s': more than one matching pool\nimport by numeric ID instead", word)
}

func (z *cmd) poolThere(t *tx, name string) int {
	if t.pool(name) == nil {
		return 0
	}
	return -z.fail(1, "cannot import '%s': a pool with that name already exists\nuse the form 'zpool import <pool | id> <newpool>' to give it a new name", name)
}

func (z *cmd) importOne(t *tx, o *options, at exportedPool, to string) int {
	if _, err := strconv.ParseUint(to, 10, 64); err == nil {
		to = at.Name
	}
	if code := z.poolThere(t, to); code != 0 {
		return code
	}
	p := &at.pool
	p.Name, p.Load, p.dirty = to, newGUID(), true
	p.Altroot, _ = o.val('R')
	p.ReadOnly = strings.Contains(strings.Join(o.vals['o'], ","), "readonly=on")
	data, err := encode(p)
	if err == nil { // the import is one step, mounting the next, as in ZFS
		err = t.commit([]op{
			{verb: opMove, a: at.dir, b: "pools/" + to},
			{verb: opPut, a: "pools/" + to + "/pool.json", b: string(data)},
		})
	}
	if err != nil {
		return -z.fail(1, "cannot import '%s': %v", to, err)
	}
	t.pools[to] = p
	for _, d := range t.tree(to, -1) {
		if d.Volume {
			t.volumeLink(d, true)
			continue
		}
		if o.has('N') {
			continue
		}
		if err := t.automount(d); err != nil {
			return -z.mountFailed(d, err)
		}
	}
	return 0
}

func (z *cmd) poolStatus(args []string) int {
	o, err := getopt(args, "ceDgiLpPstTvxj", nil)
	if err != nil {
		return z.usage("%v", err)
	}
	return z.look(func(t *tx) int {
		names, code := z.poolArgs(t, o.args)
		for _, name := range names {
			vdevs := ""
			for _, v := range t.pool(name).Vdevs {
				vdevs += "\t  " + filepath.Clean(v) + "  ONLINE       0     0     0\n"
			}
			z.out.Write([]byte("  pool: " + name + "\n state: ONLINE\nconfig:\n\n\tNAME  STATE     READ WRITE CKSUM\n\t" + name + "  ONLINE       0     0     0\n" + vdevs + "\nerrors: No known data errors\n"))
		}
		return code
	})
}
