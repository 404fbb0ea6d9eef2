package zfssim

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
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
		if _, ok := poolColumns[props[i]]; !ok && !strings.HasPrefix(p, "feature@") {
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
			t.after = append(t.after, op{verb: opMove, a: "pools/" + name, b: "exported/" + name}, op{verb: opRemove, a: "dev/zvol/" + name})
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
		entries, _ := os.ReadDir(t.path("exported"))
		if len(o.args) == 0 && !o.has('a') {
			for _, e := range entries {
				z.out.Write([]byte("   pool: " + e.Name() + "\n  state: ONLINE\n"))
			}
			if len(entries) == 0 {
				return -z.fail(1, "no pools available to import")
			}
			return 0
		}
		names := o.args[:min(1, len(o.args))]
		if o.has('a') {
			for _, e := range entries {
				names = append(names, e.Name())
			}
		}
		for _, name := range names {
			if t.pool(name) != nil {
				return -z.fail(1, "cannot import '%s': a pool with that name already exists\nuse the form 'zpool import <pool | id> <newpool>' to give it a new name", name)
			}
			if code := z.importOne(t, o, name); code != 0 {
				return code
			}
		}
		return 0
	})
}

func (z *cmd) importOne(t *tx, o *options, name string) int {
	p := &pool{Name: name}
	if !readJSON(t.path("exported", name, "pool.json"), p) {
		return -z.fail(1, "cannot import '%s': no such pool available", name)
	}
	to := name
	if len(o.args) == 2 {
		to = o.args[1]
	}
	p.Name, p.dirty = to, true
	p.Altroot, _ = o.val('R')
	p.ReadOnly = strings.Contains(strings.Join(o.vals['o'], ","), "readonly=on")
	data, err := json.Marshal(p)
	if err == nil { // the import is one step, mounting the next, as in ZFS
		err = t.commit([]op{
			{verb: opMove, a: "exported/" + name, b: "pools/" + to},
			{verb: opPut, a: "pools/" + to + "/pool.json", b: string(data)},
		})
	}
	if err != nil {
		return -z.fail(1, "cannot import '%s': %v", name, err)
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
			return -z.fail(1, "cannot mount '%s': %v", d.name, err)
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
