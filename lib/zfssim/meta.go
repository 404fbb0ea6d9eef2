package zfssim

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
)

// A pool as its file pool.json holds it.
type pool struct {
	Name     string            `json:"-"`
	GUID     uint64            `json:"guid"`
	TXG      uint64            `json:"txg"`
	NextID   uint64            `json:"next"`
	Size     uint64            `json:"size"` // bytes; what does not fit is ENOSPC
	Altroot  string            `json:"altroot,omitempty"`
	ReadOnly bool              `json:"readonly,omitempty"`
	Features string            `json:"features,omitempty"` // "legacy" for -d: nothing enabled
	Props    map[string]string `json:"props,omitempty"`
	Vdevs    []string          `json:"vdevs,omitempty"`
	Load     uint64            `json:"load"`             // another one after each import
	Clones   map[string]string `json:"clones,omitempty"` // clone: its origin

	dirty bool
	fresh bool // this command's txg was taken
}

// A meta is a dataset as its file @meta holds it.
type meta struct {
	Volume   bool              `json:"volume,omitempty"`
	GUID     uint64            `json:"guid"`
	TXG      uint64            `json:"txg"`
	Creation int64             `json:"creation"`
	ID       uint64            `json:"id"`
	Changed  int64             `json:"changed,omitempty"`  // when its snapshots did
	Props    map[string]string `json:"props,omitempty"`    // set here
	Received map[string]string `json:"received,omitempty"` // set by a stream
	Hidden   map[string]bool   `json:"hidden,omitempty"`   // received, but inherited over
	Mounted  bool              `json:"mounted,omitempty"`
	At       string            `json:"at,omitempty"`    // where, without the alternative root
	Clean    uint64            `json:"clean,omitempty"` // guid of the snapshot that the unmounted contents equal; there is no @live then
	Origin   string            `json:"origin,omitempty"`
	Key      *key              `json:"key,omitempty"` // of an encryption root
	Crypt    string            `json:"crypt,omitempty"`
	KeyGUID  uint64            `json:"keyguid,omitempty"` // of what the contents are encrypted with; raw copies share it
	Wrap     string            `json:"wrap,omitempty"`    // where the wrapping key is not that of the encryption root
	Root     string            `json:"cryptroot,omitempty"`
	Large    bool              `json:"large,omitempty"`   // received with -L
	Raw      bool              `json:"raw,omitempty"`     // received raw, and not mounted since
	Touched  bool              `json:"touched,omitempty"` // by its first mount after that
	Partial  *partial          `json:"partial,omitempty"`
	New      bool              `json:"new,omitempty"` // its first receive is not complete
	Allow    []grant           `json:"allow,omitempty"`
}

// A ds is a dataset in memory during one command.
type ds struct {
	meta
	name  string
	pool  *pool
	vers  []*version // snapshots and bookmarks, oldest first
	known bool       // vers was read
	dirty bool       // @meta is to be written
	moved bool       // @snaps is to be written
	grown []*version // or these are to be added to it
	size  int        // of @snaps as it was read
	gone  bool
}

// A version is a snapshot or a bookmark.
type version struct {
	kind     byte // '@' or '#'
	name     string
	guid     uint64
	txg      uint64
	creation int64
	versionExtra
}

type versionExtra struct {
	Ref   uint64            `json:"ref,omitempty"`   // bytes
	Props map[string]string `json:"props,omitempty"` // user properties
	Recvd map[string]string `json:"recvd,omitempty"`
	Holds map[string]int64  `json:"holds,omitempty"`
	Defer bool              `json:"defer,omitempty"`
	Large bool              `json:"large,omitempty"`
	Crypt bool              `json:"crypt,omitempty"` // of an encrypted dataset
	IVSet uint64            `json:"ivset,omitempty"` // where it is not the guid: raw copies share it, others do not
	ID    uint64            `json:"id,omitempty"`
}

func (v *version) full(d *ds) string { return d.name + string(rune(v.kind)) + v.name }

// A tx is one command's view of the store and the changes it will commit.
type tx struct {
	*store
	write bool
	trait trait
	now   int64
	clock int64 // the kernel's, which ZFS_SIM_NOW does not set
	pools map[string]*pool
	sets  map[string]*ds
	kids  map[string][]string
	ops   []op
	after []op // behind the puts
	tmp   string
	sums  map[*ds]uint64 // used, while nothing changes
	hold  *os.File       // keeps tmp ours
}

func (t *tx) pool(name string) *pool {
	if p, ok := t.pools[name]; ok {
		return p
	}
	p := &pool{Name: name}
	if !readJSON(t.path("pools", name, "pool.json"), p) {
		p = nil
	}
	t.pools[name] = p
	return p
}

func (t *tx) poolNames() []string {
	entries, _ := os.ReadDir(t.path("pools"))
	var names []string
	for _, e := range entries {
		if t.pool(e.Name()) != nil {
			names = append(names, e.Name())
		}
	}
	return names
}

// get returns the dataset, or nil when there is none.
func (t *tx) get(name string) *ds {
	if d, ok := t.sets[name]; ok {
		if d == nil || d.gone {
			return nil
		}
		return d
	}
	d := t.load(name)
	t.sets[name] = d
	return d
}

func (t *tx) load(name string) *ds {
	p := t.pool(poolOf(name))
	if p == nil || strings.Contains(name, "@") || strings.HasSuffix(name, "/") {
		return nil
	}
	d := &ds{name: name, pool: p}
	if !readJSON(t.dir(name, "@meta"), &d.meta) {
		return nil
	}
	return d
}

func readJSON(path string, v coded) bool {
	data, err := os.ReadFile(path)
	return err == nil && decode(data, v) == nil
}

// children returns the names directly below, in order.
func (t *tx) children(name string) []string {
	if kids, ok := t.kids[name]; ok {
		return kids
	}
	entries, err := os.ReadDir(t.dir(name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var kids []string
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), "@") && e.IsDir() {
			kids = append(kids, name+"/"+e.Name())
		}
	}
	t.kids[name] = kids
	return kids
}

// tree returns d and all datasets below it, parents first; depth < 0 is no
// limit.
func (t *tx) tree(name string, depth int) []*ds {
	d := t.get(name)
	if d == nil {
		return nil
	}
	all := []*ds{d}
	if depth == 0 {
		return all
	}
	for _, kid := range t.children(name) {
		all = append(all, t.tree(kid, depth-1)...)
	}
	return all
}

func poolOf(name string) string {
	if i := strings.IndexAny(name, "/@#"); i >= 0 {
		return name[:i]
	}
	return name
}

func parentOf(name string) string {
	i := strings.LastIndexByte(name, '/')
	return name[:max(i, 0)]
}

// txg returns the transaction group of this command in p.
func (t *tx) txg(p *pool) uint64 {
	if !p.fresh {
		p.TXG++
		p.fresh, p.dirty = true, true
	}
	return p.TXG
}

func (t *tx) nextID(p *pool) uint64 {
	t.txg(p)
	p.NextID++
	return p.NextID
}

// finish commits what was changed.
func (t *tx) finish() error {
	var puts []op
	for _, name := range slices.Sorted(maps.Keys(t.sets)) {
		d := t.sets[name]
		if d == nil || d.gone {
			continue
		}
		if d.dirty {
			t.txg(d.pool)
			data, err := encode(&d.meta)
			if err != nil {
				return err
			}
			puts = append(puts, op{verb: opPut, a: t.rel(d.name, "@meta"), b: string(data)})
		}
		if d.moved {
			t.txg(d.pool)
			puts = append(puts, op{verb: opPut, a: t.rel(d.name, "@snaps"), b: formatVersions(d.vers)})
		} else if len(d.grown) > 0 {
			t.txg(d.pool)
			puts = append(puts, op{verb: opAppend, a: t.rel(d.name, "@snaps"), b: formatVersions(d.grown), c: strconv.Itoa(d.size)})
		}
	}
	for _, p := range t.pools {
		if p != nil && p.dirty {
			data, err := encode(p)
			if err != nil {
				return err
			}
			puts = append(puts, op{verb: opPut, a: "pools/" + p.Name + "/pool.json", b: string(data)})
		}
	}
	return t.commit(slices.Concat(t.ops, puts, t.after))
}

// rel is a path of a dataset below the root, as ops name it.
func (t *tx) rel(name string, parts ...string) string {
	return strings.TrimPrefix(t.dir(name, parts...), t.root+"/")
}

func (t *tx) do(verb byte, a, b string) { t.ops = append(t.ops, op{verb: verb, a: a, b: b}) }
