package convert

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/identity"
)

// job is one job of ours; without a kind it is comments alone.
type job struct {
	block
	name, kind string
	prefix     string   // of the snapshots that it takes or prunes
	sources    []string // datasets on this host where its prefix counts
	target     string   // the dataset that it receives below
}

// add begins a job.
func (d *document) add(line int, name, kind string) *job {
	j := &job{block: block{doc: d}, kind: kind}
	d.jobs = append(d.jobs, j)
	if kind == "" {
		return j
	}
	j.name = d.free(goodName(name))
	if j.name != name && name != "" {
		j.note(line, "the job %q is called %s here: zreplctl cannot use the name, or it is taken", name, j.name)
	}
	return j
}

// free makes a name unique.
func (d *document) free(name string) string {
	unique := name
	for n := 2; d.names[unique]; n++ {
		end := "_" + strconv.Itoa(n)
		unique = name[:min(len(name), 64-len(end))] + end
	}
	d.names[unique] = true
	return unique
}

// goodName makes a name that a job or a client can have.
func goodName(name string) string {
	good := strings.Map(func(r rune) rune {
		if r < 0x80 && identity.Check("x"+string(r)) == nil {
			return r
		}
		return '_'
	}, name)
	good = strings.TrimLeft(good, ".-")
	if good == "" {
		return "job"
	}
	return good[:min(len(good), 64)]
}

func (j *job) write(b *strings.Builder) {
	b.WriteByte('\n')
	indent := ""
	if j.kind != "" {
		b.WriteString("- name: " + scalar(j.name) + "\n  type: " + j.kind + "\n")
		indent = "  "
	}
	for _, line := range j.lines {
		b.WriteString(indent + line + "\n")
	}
}

// config is the job as lines of a configuration, for a comment that goes to
// another host.
func (j *job) config() []string {
	var b strings.Builder
	j.write(&b)
	return strings.Split(strings.Trim(b.String(), "\n"), "\n")
}

// share lets jobs have the same snapshots, or targets, as they had before.
func (d *document) share() {
	prefix, target := map[*job]bool{}, map[*job]bool{}
	most := 4_000_000 // comparisons; what is not found then is for zreplctl check
	for i, a := range d.jobs {
		for _, b := range d.jobs[:i] {
			if most -= 1 + len(a.sources)*len(b.sources); most < 0 {
				break
			}
			if a.prefix != "" && b.prefix != "" && (strings.HasPrefix(a.prefix, b.prefix) || strings.HasPrefix(b.prefix, a.prefix)) && meet(a.sources, b.sources) {
				prefix[a], prefix[b] = true, true
			}
			if a.target != "" && b.target != "" && meet([]string{a.target}, []string{b.target}) {
				target[a], target[b] = true, true
			}
		}
	}
	for _, j := range d.jobs {
		if prefix[j] {
			j.note(0, "job %s: another job has these snapshots, too: of two policies, the one that keeps less decides", j.name)
			j.put("shared_prefix: true")
		}
		if target[j] {
			j.note(0, "job %s: another job receives within the same target", j.name)
			j.put("shared_target: true")
		}
	}
}

// meet reports whether a dataset of a could be one of b; "" is all of them.
func meet(a, b []string) bool {
	for _, x := range a {
		for _, y := range b {
			if x == "" || y == "" || dataset.Within(x, y) || dataset.Within(y, x) {
				return true
			}
		}
	}
	return false
}

var plain = regexp.MustCompile(`^[A-Za-z/][A-Za-z0-9_./-]*$`)

// scalar writes a text as YAML.
func scalar(text string) string {
	switch strings.ToLower(text) {
	case "y", "n", "yes", "no", "on", "off", "true", "false", "null":
		return strconv.Quote(text)
	}
	if plain.MatchString(text) {
		return text
	}
	return strconv.Quote(text)
}

func scalars(all []string) string {
	var out []string
	for _, s := range all {
		out = append(out, scalar(s))
	}
	return "[" + strings.Join(out, ", ") + "]"
}

// rule is one of a filter or a map.
type rule struct{ pattern, result string }

// rules writes a filter or a map.
func (j *job) rules(key string, all []rule) {
	if len(all) == 0 {
		j.put("%s: {}", key)
		return
	}
	j.put("%s:", key)
	for _, r := range all {
		j.put("  %s: %s", strconv.Quote(r.pattern), scalar(r.result))
		if base := strings.TrimSuffix(r.pattern, "<"); key == "datasets" && r.result != "!" {
			j.sources = append(j.sources, base)
		}
	}
}
