package zfssim

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

func (z *cmd) zpool(args []string) int {
	if len(args) == 0 {
		return z.usage("missing command")
	}
	if args[0] == "version" || args[0] == "--version" {
		return z.zfs([]string{"version"})
	}
	run, ok := zpoolCommand(args[0])
	if !ok {
		return z.usage("unrecognized command '%s'", args[0])
	}
	return run(z, args[1:])
}

func (z *cmd) poolCreate(args []string) int {
	o, err := getopt(args, ":fndR:m:o:O:t:", nil)
	if err != nil {
		return z.usage("%v", err)
	}
	switch len(o.args) {
	case 0:
		return z.usage("missing pool name argument")
	case 1:
		return z.usage("missing vdev specification")
	}
	props, code := z.assignments(o.vals['O'])
	if code != 0 {
		return code
	}
	if at, ok := o.val('m'); ok {
		props["mountpoint"] = at
	}
	return z.change(func(t *tx) int { return z.poolCreateIn(t, o, props) })
}

const defaultPoolSize = 1 << 40

func (z *cmd) poolCreateIn(t *tx, o *options, props map[string]string) int {
	name := o.args[0]
	switch {
	case strings.Contains(name, "/"):
		return -z.fail(1, "cannot create '%s': invalid character '/' in pool name\nuse 'zfs create' to create a dataset", name)
	case badPool(name) != "":
		return -z.fail(1, "cannot create '%s': %s\npool name may have been omitted", name, badPool(name))
	case t.pool(name) != nil:
		return -z.fail(1, "cannot create '%s': pool already exists", name)
	}
	p := &pool{Name: name, GUID: newGUID(), Load: newGUID(), Clones: map[string]string{}, Props: map[string]string{}, TXG: 3, dirty: true}
	size, code := z.vdevs(t, p, o.args[1:], o.has('f'))
	if code != 0 {
		return code
	}
	p.Size = size
	p.Altroot, _ = o.val('R')
	for _, pair := range o.vals['o'] {
		k, v, _ := strings.Cut(pair, "=")
		p.Props[k] = v
	}
	if o.has('d') {
		p.Features = "legacy"
	}
	t.pools[name] = p
	checked, ok := z.checkSettings(t, name, props, takeFS, "create")
	if !ok {
		return -1
	}
	if o.has('n') {
		return 0
	}
	d, code := z.newSet(t, name, false, checked)
	if d == nil {
		return code
	}
	return z.mountNew(t, d)
}

func badPool(name string) string {
	c := name[0]
	switch {
	case len(name) > 255:
		return "name is too long"
	case !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'):
		return "name must begin with a letter"
	case name == "mirror" || name == "raidz" || name == "draid" || name == "spare" || name == "log":
		return "name is reserved"
	}
	for i := range len(name) {
		if !legalChar(name[i]) || name[i] == '%' {
			return fmt.Sprintf("invalid character '%c' in pool name", name[i])
		}
	}
	return ""
}

// vdevs adds up the sizes of the files a pool is made of. A vdev that is no
// file gives a pool as large as one could want.
func (z *cmd) vdevs(t *tx, p *pool, words []string, force bool) (uint64, int) {
	total := uint64(0)
	for _, w := range words {
		switch w {
		case "mirror", "raidz", "raidz1", "raidz2", "raidz3", "stripe":
			continue
		}
		p.Vdevs = append(p.Vdevs, w)
		info, err := os.Stat(w)
		switch {
		case err != nil && strings.HasPrefix(w, "/"):
			return 0, -z.fail(1, "cannot resolve path '%s'", w)
		case err != nil:
			total += defaultPoolSize
			continue
		}
		if user := t.vdevUser(w); user != "" && !force {
			z.fail(1, "invalid vdev specification\nuse '-f' to override the following errors:\n%s is part of active pool '%s'", w, user)
			return 0, -1
		}
		if info.Size() < 64<<20 {
			return 0, -z.fail(1, "cannot create '%s': one or more devices is less than the minimum size (64M)", p.Name)
		}
		total += uint64(info.Size()) - 16<<20
	}
	return total, 0
}

func (t *tx) vdevUser(vdev string) string {
	for _, name := range t.poolNames() {
		for _, v := range t.pool(name).Vdevs {
			if v == vdev {
				return name
			}
		}
	}
	return ""
}

func (z *cmd) poolDestroy(args []string) int {
	o, err := getopt(args, "f", nil)
	if err != nil {
		return z.usage("%v", err)
	}
	switch {
	case len(o.args) == 0:
		return z.usage("missing pool argument")
	case len(o.args) > 1:
		return z.usage("too many arguments")
	}
	return z.change(func(t *tx) int {
		name := o.args[0]
		if t.pool(name) == nil {
			return -z.fail(1, "cannot open '%s': no such pool", name)
		}
		sets := t.tree(name, -1)
		t.leave(sets)
		for _, d := range sets {
			d.gone = true
		}
		t.do(opRemove, filepath.Join("dev/zvol", name), "")
		t.do(opRemove, filepath.Join("pools", name), "")
		t.pools[name] = nil
		return 0
	})
}

func (z *cmd) poolList(args []string) int {
	o, err := getopt(args, "gHLo:pPT:v", nil)
	if err != nil {
		return z.usage("%v", err)
	}
	columns := []string{"name", "size", "allocated", "free", "checkpoint", "expandsize", "fragmentation", "capacity", "dedupratio", "health", "altroot"}
	if text, ok := o.val('o'); ok {
		columns = strings.Split(text, ",")
		for i, c := range columns {
			columns[i] = or(poolAlias[c], c)
			if _, ok := poolColumns[columns[i]]; !ok && !strings.HasPrefix(c, "feature@") {
				return z.usage("bad property list: invalid property '%s'", c)
			}
		}
	}
	return z.look(func(t *tx) int {
		names, code := z.poolArgs(t, o.args)
		if len(names) == 0 && len(o.args) == 0 {
			if !o.has('H') {
				fmt.Fprintln(z.out, "no pools available")
			}
			return code
		}
		var rows [][]string
		if len(names) == 0 {
			return code
		}
		if !o.has('H') {
			var head []string
			for _, c := range columns {
				head = append(head, or(poolColumns[c], strings.ToUpper(c)))
			}
			rows = append(rows, head)
		}
		for _, name := range names {
			var row []string
			for _, c := range columns {
				v, _ := t.poolProp(t.pool(name), c, o.has('p'))
				row = append(row, v)
			}
			rows = append(rows, row)
		}
		z.printPools(rows, columns, o.has('H'))
		return code
	})
}

func (z *cmd) poolArgs(t *tx, args []string) ([]string, int) {
	if len(args) == 0 {
		return t.poolNames(), 0
	}
	var names []string
	code := 0
	for _, a := range args {
		if strings.Contains(a, "/") {
			z.fail(1, "cannot open '%s': invalid character '/' in pool name", a)
			code = 1
			continue
		}
		if t.pool(a) == nil {
			z.fail(1, "cannot open '%s': no such pool", a)
			code = 1
			continue
		}
		names = append(names, a)
	}
	return names, code
}

func (z *cmd) printPools(rows [][]string, columns []string, script bool) {
	out := bufio.NewWriter(z.out)
	defer out.Flush()
	width := make([]int, len(columns))
	for _, r := range rows {
		for i, text := range r {
			width[i] = max(width[i], len(text))
		}
	}
	for _, r := range rows {
		for i, text := range r {
			switch {
			case script && i == 0:
				out.WriteString(text)
			case script:
				out.WriteString("\t" + text)
			case i == 0:
				fmt.Fprintf(out, "%-*s", width[i], text)
			case columns[i] == "health" || columns[i] == "altroot":
				if i == len(r)-1 {
					fmt.Fprintf(out, "  %s", text)
				} else {
					fmt.Fprintf(out, "  %-*s", width[i], text)
				}
			default:
				fmt.Fprintf(out, "  %*s", width[i], text)
			}
		}
		out.WriteByte('\n')
	}
}
