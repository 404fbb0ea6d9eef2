package crash

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A past is a world in which many datasets live at random on both sides.
type past struct {
	*world
	rng      *rand.Rand
	datasets []string
	mounts   map[string]string
	initial  string
	n        int // writes
}

func pastConfig(w *world, host string) string {
	return fmt.Sprintf(`
global: {rundir: %s}
jobs:
- {name: mirror, type: local, mapping: {"src/h<": dst/back/h}, initial_repl_policy: %s, snapshot_prefix: "a_", interval: 1h}
`, w.path(host+"/run"), w.scenario.spec)
}

// TestHistories lets datasets live at random on the simulator: snapshots,
// bookmarks, writes, and what is destroyed, renamed and rolled back, on either
// side. Before each replication zreplctl steps, given the lists, prints the
// very plan that the job has; after it every receiver has what the steps said,
// and where they said that it cannot go on, what it had.
func TestHistories(t *testing.T) {
	worlds, size, rounds := 1, 20, 4
	if heavy() != few {
		worlds, size = 63, 40
	}
	seen, n := map[string]int{}, 0
	for seed := range worlds {
		rng := rand.New(rand.NewPCG(uint64(seed), 3))
		initial := []string{"all", "most_recent"}[seed%2]
		p := &past{rng: rng, initial: initial, mounts: map[string]string{},
			world: newWorld(t, scenario{config: pastConfig, spec: initial, commands: []command{{"src", []string{"local", "-skip", "snapshot,prune", "mirror"}}}})}
		p.must(t, "zfs", "create", "dst/back")
		p.must(t, "zfs", "create", "src/h")
		for i := range size {
			ds := fmt.Sprintf("src/h/d%02d", i)
			p.must(t, "zfs", "create", ds)
			p.datasets = append(p.datasets, ds)
			p.mounts[ds] = strings.TrimSpace(p.must(t, "zfs", "get", "-H", "-o", "value", "mountpoint", ds))
		}
		for range rounds {
			p.live(t)
			p.check(t, seen)
			n += size
			if t.Failed() {
				t.Fatalf("world %d", seed)
			}
		}
	}
	var words []string
	for k, v := range seen {
		words = append(words, fmt.Sprintf("%s %d", k, v))
	}
	slices.Sort(words)
	t.Logf("%d histories: %s", n, strings.Join(words, ", "))
}

// live does random things to every dataset, each of which ZFS may refuse.
func (p *past) live(t *testing.T) {
	for _, ds := range p.datasets {
		for range 1 + p.rng.IntN(6) {
			p.act(ds)
		}
		if there := backOf(ds); p.exists(there) {
			for range max(0, p.rng.IntN(7)-3) {
				p.act(there)
			}
		}
	}
}

func backOf(ds string) string { return "dst/back/h" + strings.TrimPrefix(ds, "src/h") }

func (p *past) act(ds string) {
	pick := func() string {
		out, _ := p.sim("zfs", "list", "-H", "-t", "snapshot", "-d", "1", "-o", "name", ds)
		names := strings.Fields(out)
		if len(names) == 0 {
			return ""
		}
		return names[p.rng.IntN(len(names))]
	}
	mine := strings.HasPrefix(ds, "src/")
	switch op := p.rng.IntN(14); {
	case op < 4:
		p.writeInto(ds)
	case op < 8:
		letter := "aab"[p.rng.IntN(3)]
		if !mine && p.rng.IntN(2) > 0 {
			letter = 'x'
		}
		p.sim("zfs", "snapshot", fmt.Sprintf("%s@%c_%d", ds, letter, p.rng.IntN(20)))
	case op == 8:
		p.sim("zfs", "destroy", pick())
	case op == 9:
		if s := pick(); s != "" && mine {
			p.sim("zfs", "bookmark", s, "#m_"+strconv.Itoa(p.rng.IntN(1000)))
		}
	case op == 10:
		p.sim("zfs", "rename", pick(), fmt.Sprintf("%s@a_%d", ds, p.rng.IntN(20)))
	case op == 11:
		p.sim("zfs", "rollback", "-r", pick())
	case op == 12 && mine:
		p.sim("zfs", "destroy", "-d", pick())
	case op == 13:
		s := pick() // somebody who knows what a hold is and does not care
		out, _ := p.sim("zfs", "holds", "-H", s)
		for line := range strings.Lines(out) {
			p.sim("zfs", "release", strings.Split(line, "\t")[1], s)
		}
		if mine && p.rng.IntN(2) == 0 {
			p.sim("zfs", "bookmark", s, "#k_"+strconv.Itoa(p.rng.IntN(1000)))
		}
		p.sim("zfs", "destroy", s)
	}
}

func (p *past) writeInto(ds string) {
	p.n++
	data := []byte(strings.Repeat(fmt.Sprintln(p.n, ds), 50))
	if dir := p.mounts[ds]; dir != "" {
		os.WriteFile(filepath.Join(dir, "f"+strconv.Itoa(p.n%3)), data, 0o600)
		return
	}
	if p.rng.IntN(3) > 0 {
		return
	}
	dir := p.path("mnt")
	p.sim("zfs", "set", "readonly=off", "canmount=on", ds)
	p.sim("zfs", "set", "mountpoint="+dir, ds)
	p.sim("zfs", "mount", ds)
	if out, _ := p.sim("zfs", "get", "-H", "-o", "value", "mounted", ds); out == "yes\n" {
		at, _ := p.sim("zfs", "get", "-H", "-o", "value", "mountpoint", ds)
		os.WriteFile(filepath.Join(strings.TrimSpace(at), "own"), data, 0o600)
	}
	p.sim("zfs", "unmount", ds)
	p.sim("zfs", "inherit", "mountpoint", ds)
	p.sim("zfs", "set", "readonly=on", ds)
}

// check plans from lists, replicates, and compares.
func (p *past) check(t *testing.T, seen map[string]int) {
	t.Helper()
	steps := p.steps(t)
	before := map[string][]string{}
	for _, ds := range p.datasets {
		before[ds] = p.snapshots(t, backOf(ds))
	}
	live := p.zreplctl(t, "plan", "mirror")
	live = strings.ReplaceAll(live, "source-empty\t", "no-snapshots\t") // lists do not say what was held
	if live != p.steps(t, "-merge") {
		t.Errorf("the job's plan is\n%s\nsteps prints\n%s", live, p.steps(t, "-merge"))
	}
	o := p.replicate(t)
	if o.left != nil || o.status > 1 {
		t.Errorf("status %d, left %q: %s", o.status, o.left, o.talk)
	}
	want := map[string][]string{}
	for line := range strings.Lines(steps) {
		f := strings.Split(line, "\t")
		kind, source, to := f[0], f[1], f[4]
		seen[kind]++
		if source == "-" || to == "-" {
			continue
		}
		guid := strings.TrimSpace(p.must(t, "zfs", "get", "-Hp", "-o", "value", "guid", source+to))
		want[source] = append(want[source], to+" "+guid)
	}
	for _, ds := range p.datasets {
		after := p.snapshots(t, backOf(ds))
		if !slices.Equal(after, append(before[ds], want[ds]...)) {
			t.Errorf("%s: the receiver had %q, the steps bring %q, and now it has %q\n%s\n%s", ds, before[ds], want[ds], after, steps, o.talk)
		}
	}
}

// snapshots are those of ds with their guids, oldest first.
func (p *past) snapshots(t *testing.T, ds string) (out []string) {
	if !p.exists(ds) {
		return nil
	}
	text := p.must(t, "zfs", "list", "-Hp", "-d", "1", "-t", "snapshot", "-s", "createtxg", "-o", "name,guid", ds)
	for line := range strings.Lines(text) {
		out = append(out, strings.Replace(strings.TrimPrefix(strings.TrimSuffix(line, "\n"), ds), "\t", " ", 1))
	}
	return out
}

// steps runs zreplctl steps on what zfs list and zfs get say.
func (p *past) steps(t *testing.T, more ...string) string {
	t.Helper()
	list := func(name, root string) string {
		p.write(t, name, p.must(t, "zfs", "list", "-Hp", "-r", "-t", "filesystem,volume,snapshot,bookmark", "-o", "name,guid,createtxg", root))
		return p.path(name)
	}
	get := []string{"zfs", "get", "-Hp", "-o", "name,property,value"}
	state := p.must(t, append(get, "-r", "-s", "local", "-t", "filesystem", "zreplctl:placeholder,zreplctl:send", "dst")...)
	state += p.must(t, append(get, "-r", "-t", "filesystem", "receive_resume_token,written,encryption", "dst")...)
	state += p.must(t, append(get, "-r", "-t", "snapshot", "defer_destroy", "src")...)
	for _, ds := range p.datasets {
		var since []string
		for _, s := range p.snapshots(t, backOf(ds)) {
			since = append(since, "written"+strings.Fields(s)[0])
		}
		if since != nil {
			state += p.must(t, append(get, strings.Join(since, ","), backOf(ds))...)
		}
	}
	p.write(t, "state", state)
	args := append([]string{"steps", "-r", "src/h<=dst/back/h", "-prefix", "a_", "-initial", p.initial, "-state", p.path("state")}, more...)
	return p.zreplctl(t, append(args, list("source", "src/h"), list("target", "dst"))...)
}

// zreplctl returns what a subcommand prints, whatever its status.
func (p *past) zreplctl(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command(filepath.Join(bin, "zreplctl"), append([]string{"-config", p.path("src/zreplctl.yml")}, args...)...)
	cmd.Env = p.env("src")
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() > 1 {
		t.Fatalf("%q: %v: %s", args, err, errs.String())
	}
	return string(out)
}
