package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/identity"
	"github.com/zrepl-tools/zrepl-tools/lib/pack"
)

// maxJobs bounds the pairs of jobs that are compared.
const maxJobs = 1000

func (d *decoder) config(roots []*yaml.Node, defaults Global) *Config {
	c := &Config{Path: d.files[0], Files: d.files, Global: defaults}
	for _, root := range roots { // first what jobs of any file refer to
		if v := valueOf(root, "policies"); v != nil {
			d.namedPolicies(v)
		}
		if v := valueOf(root, "connects"); v != nil {
			d.namedConnects(v)
		}
	}
	seen := false
	for i, root := range roots {
		keys := []string{"global", "include", "policies", "connects", "jobs"}
		if i > 0 {
			keys = keys[2:]
		}
		d.dict(root, "configuration", keys, func(key string, k, v *yaml.Node) {
			switch key {
			case "global":
				d.global(v, c)
			case "include":
				d.patternsOf(v)
			case "jobs":
				seen = true
				d.jobs(v, c)
			}
		})
	}
	if !seen && len(d.problems) == 0 {
		d.wrong(roots[0], `configuration: key "jobs" is missing`)
	}
	d.defaultState(&c.Global, defaults)
	c.Global.within()
	return c
}

func (d *decoder) jobs(v *yaml.Node, c *Config) {
	full := false
	d.list(v, "jobs", func(n *yaml.Node) {
		if len(c.Jobs) == maxJobs {
			if !full {
				d.wrong(n, "jobs: more than %d", maxJobs)
			}
			full = true
			return
		}
		if j := d.job(n, len(c.Jobs)+1); j != nil {
			c.Jobs = append(c.Jobs, j)
		}
	})
	if v.Kind == yaml.SequenceNode && len(v.Content) == 0 {
		d.wrong(v, "jobs: the list is empty")
	}
}

// job reads one job; number counts from 1 and names a job without a name.
func (d *decoder) job(n *yaml.Node, number int) *Job {
	n, ok := d.resolve(n)
	if !ok {
		return nil
	}
	j := &Job{Send: Send{SendOptions: dataset.SendOptions{LargeBlocks: true}}, at: map[string]place{"": {n.Line, n.Column}}}
	what := d.nameAndType(n, j, number)
	clear(d.meant)
	d.dict(n, what, allKeys, func(key string, k, v *yaml.Node) {
		j.at[key] = place{k.Line, k.Column}
		switch {
		case key == "name" || key == "type" || j.Type == "":
		case !allowed(j.Type, key):
			d.notInType(k, what, j.Type)
		default:
			d.field(j, key, what+": "+key, v)
		}
	})
	j.meant = maps.Clone(d.meant)
	for _, key := range keysOf[j.Type].must {
		if _, there := j.at[key]; !there && !j.meant[key] {
			d.wrong(n, "%s: key %q is missing", what, key)
		}
	}
	d.fill(j)
	return j
}

// nameAndType reads what says which keys and which words the rest needs.
func (d *decoder) nameAndType(n *yaml.Node, j *Job, number int) (what string) {
	what = fmt.Sprintf("job %d", number)
	if n.Kind != yaml.MappingNode {
		return what
	}
	var types []string
	for _, t := range Types {
		types = append(types, string(t))
	}
	name, kind := valueOf(n, "name"), valueOf(n, "type")
	if name == nil {
		d.wrong(n, `%s: key "name" is missing`, what)
	} else if s, ok := d.str(name, what+": name"); ok {
		what = fmt.Sprintf("job %q", s)
		if err := identity.Check(s); err != nil {
			d.wrong(name, "%s: bad name: %v", what, err)
		} else {
			j.Name = s
		}
	}
	if kind == nil {
		d.wrong(n, `%s: key "type" is missing: one of %s`, what, strings.Join(types, ", "))
	} else {
		j.Type = Type(d.word(kind, what+": type", types...))
	}
	return what
}

// valueOf finds a key's value in a dictionary, nil where there is none.
func valueOf(n *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

func (d *decoder) notInType(k *yaml.Node, what string, t Type) {
	var have []string
	for _, other := range insteadOf[k.Value] {
		if allowed(t, other) {
			have = append(have, fmt.Sprintf("%q", other))
		}
	}
	if len(have) > 0 {
		d.wrong(k, "%s: %s job has no key %q but %s", what, withArticle(t), k.Value, strings.Join(have, " and "))
		return
	}
	d.wrong(k, "%s: %s job has no key %q", what, withArticle(t), k.Value)
}

func withArticle(t Type) string {
	if t == Autosnap {
		return "an " + string(t)
	}
	return "a " + string(t)
}

// field reads the value of one key into j.
func (d *decoder) field(j *Job, key, what string, v *yaml.Node) {
	switch key {
	case "interval":
		j.Interval = d.interval(v, what)
	case "cron", "jitter", "window", "at_end", "after":
		d.times(j, key, what, v)
	case "connect":
		j.Connect = d.connect(v, what)
		j.partsOf(key, v)
	case "serve":
		j.Serve = d.serve(v, what, j.Type)
	case "mapping":
		j.Mapping = d.rules(v, what, true)
	case "datasets":
		j.Datasets = d.rules(v, what, false)
	case "select":
		j.Select = d.selector(v, what)
	case "root":
		j.Root = d.datasetName(v, what)
	case "shared_target":
		j.SharedTarget = d.boolean(v, what)
	case "shared_prefix":
		j.SharedPrefix = d.boolean(v, what)
	case "initial_repl_policy":
		j.InitialReplPolicy = d.word(v, what, "most_recent", "all", "fail")
	case "snapshot_prefix":
		j.SnapshotPrefix = d.prefix(v, what)
	case "snapshots":
		j.SnapshotRules = d.snapshots(v, what)
	case "parallel":
		j.Parallel = d.integer(v, what, 1, 64)
	case "stall":
		j.Stall = d.stall(v, what)
	case "checksum":
		j.Checksum = d.word(v, what, "none", "crc32c")
	case "compress":
		j.Compress = d.compress(v, what, j.Type)
	case "rate":
		j.Rate = d.rate(v, what)
	case "sessions":
		j.Sessions = d.integer(v, what, 1, maxJobs)
	case "cursor":
		j.Cursor = Cursor(d.word(v, what, string(CursorHold), string(CursorBookmark)))
	case "send":
		d.send(v, what, &j.Send)
	case "recv":
		d.recv(v, what, j.Type, &j.Recv)
	case "restore":
		j.Restore = d.word(v, what, "refuse", "allow") == "allow"
	case "limits":
		d.peerLimits(v, what, j.Type, &j.Limits)
	case "notify":
		j.Notify = d.notify(v, what)
	case "hooks":
		d.hooks(v, what, j)
	case "monitor":
		d.limit(v, what, &j.Monitor)
	case "max_hold":
		j.MaxHold = d.duration(v, what, "")
	case "prune", "keep":
		d.ownPolicy(j, key, what, v)
	case "prune_lhs":
		j.PruneLHS = d.policy(v, what)
	case "prune_rhs":
		j.PruneRHS = d.policy(v, what)
	}
}

// partsOf notes where the keys within a key's value stand.
func (j *Job) partsOf(key string, v *yaml.Node) {
	if v.Kind == yaml.AliasNode {
		v = v.Alias
	}
	if v.Kind != yaml.MappingNode {
		return
	}
	for i := 0; i+1 < len(v.Content); i += 2 {
		k := v.Content[i]
		j.at[key+": "+k.Value] = place{k.Line, k.Column}
	}
}

// ownPolicy reads the policy of a job with one side, which stands under prune
// or, as a bare list, under keep.
func (d *decoder) ownPolicy(j *Job, key, what string, v *yaml.Node) {
	if j.Prune != nil {
		d.wrong(v, "%s: prune and keep say the same thing: write one of them", what)
		return
	}
	if key == "keep" {
		j.Prune = d.keepList(v, what)
		return
	}
	j.Prune = d.policy(v, what)
}

func (d *decoder) interval(v *yaml.Node, what string) time.Duration {
	return d.duration(v, what, "; without the key the job runs only by hand")
}

func (d *decoder) stall(v *yaml.Node, what string) time.Duration {
	return d.duration(v, what, "")
}

// duration reads one of at least a second; otherwise is what to do instead.
func (d *decoder) duration(v *yaml.Node, what, otherwise string) time.Duration {
	n, ok := d.resolve(v)
	if !ok {
		return 0
	}
	if n.Kind != yaml.ScalarNode || !slices.Contains([]string{"!!str", "!!int"}, n.ShortTag()) {
		d.wrong(n, "%s must be a duration such as 10m, not %s", what, kindOf(n))
		return 0
	}
	length, err := ParseDuration(n.Value)
	switch {
	case err != nil:
		d.wrong(n, "%s: %v", what, err)
	case length < time.Second:
		d.wrong(n, "%s: %q is too short: at least 1s%s", what, n.Value, otherwise)
	}
	return length
}

// fill sets what the file has left open to the defaults of the job's type.
func (d *decoder) fill(j *Job) {
	set := func(key string, fill func()) {
		if _, there := j.at[key]; !there && allowed(j.Type, key) {
			fill()
		}
	}
	set("initial_repl_policy", func() { j.InitialReplPolicy = defaultInitial })
	set("parallel", func() { j.Parallel = defaultParallel })
	set("checksum", func() { j.Checksum = defaultChecksum })
	set("compress", func() {
		if j.Type == Source { // whose client asks for it or not
			j.Compress = pack.Zstd
		}
	})
	set("stall", func() { j.Stall = defaultStall })
	set("cursor", func() { j.Cursor = defaultCursor })
	set("max_hold", func() { j.MaxHold = defaultMaxHold })
	d.fillTimes(j)
	if !j.Sends() {
		j.Send = Send{}
	}
	j.Parallel = max(j.Parallel, 1)
}
