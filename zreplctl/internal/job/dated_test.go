package job_test

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// dated has a client push snapshots that are dated anyhow to a sink with this
// policy.
type dated struct {
	*world
	now   int64
	count int
}

func newDated(t *testing.T, policy string) *dated {
	w := newWorld(t)
	w.extend(`- name: vault
  type: push-sink
  serve: {type: stdinserver, client_identity: laptop}
  root: b/t/laptop
  snapshot_prefix: zrepl_
  ` + policy + `
- name: give
  type: push
  connect: {type: exec, command: [zreplctl, -config, DIR/c.yml, serve, laptop]}
  datasets: {"a/h": ok}
  initial_repl_policy: all
  snapshot_prefix: zrepl_
`)
	w.must("zfs", "create", "a/h")
	return &dated{world: w, now: time.Now().Unix()}
}

// take takes a snapshot that says it was created at a time.
func (d *dated) take(creation int64) string {
	d.t.Helper()
	d.count++
	name := fmt.Sprintf("zrepl_%03d", d.count)
	c := d.command("zfs", "snapshot", "a/h@"+name)
	c.Env = append(c.Env, "ZFS_SIM_NOW="+strconv.FormatInt(creation, 10))
	if out, err := c.CombinedOutput(); err != nil {
		d.t.Fatalf("%v: %s", err, out)
	}
	return name
}

func (d *dated) push() {
	d.t.Helper()
	d.done("push", "give")
}

// prune prunes the sink, and returns what it said and the names that are left.
func (d *dated) prune(args ...string) (said string, left []string) {
	d.t.Helper()
	code, said := d.ctl(append([]string{"prune"}, append(args, "vault")...)...)
	if code != 0 {
		d.t.Fatalf("exit status %d: %s", code, said)
	}
	for _, line := range d.lines("zfs", "list", "-H", "-t", "snapshot", "-o", "name", "-r", "b/t/laptop/a/h") {
		left = append(left, line[strings.IndexByte(line, '@')+1:])
	}
	slices.Sort(left)
	return said, left
}

// hourly takes and pushes 24 good snapshots, one an hour.
func (d *dated) hourly() (good []string) {
	for i := range int64(24) {
		good = append(good, d.take(d.now-(23-i)*3600-60))
	}
	d.push()
	return good
}

// A pushed snapshot that is dated ahead, however far, makes no other go, stays
// itself and is warned of; pruning goes on.
func TestDatedAhead(t *testing.T) {
	t.Parallel()
	for name, ahead := range map[string][]int64{
		"minutes":         {300},
		"23 h 50 min":     {23*3600 + 50*60},
		"40 days":         {40 * 86400},
		"50 years":        {50 * 365 * 86400},
		"all of them":     {300, 86400, 2 * 86400, 35 * 86400, 50 * 365 * 86400},
		"at the very end": {time.Date(9990, 1, 1, 0, 0, 0, 0, time.UTC).Unix() - time.Now().Unix()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDated(t, `keep: [{type: grid, grid: 24x1h | 35x1d | 12x30d}, {type: regex, regex: ^zrepl_, negate: true}]`)
			good := d.hourly()
			if said, left := d.prune(); said != "" || !slices.Equal(left, good) {
				t.Fatalf("%q, %d are left", said, len(left))
			}
			want := slices.Clone(good)
			for _, a := range ahead {
				want = append(want, d.take(d.now+a))
			}
			d.push()
			said, left := d.prune()
			if !slices.Equal(left, want) {
				t.Errorf("%d of %d are left: %q", len(left), len(want), left)
			}
			if !strings.Contains(said, "created in the future") || !strings.Contains(said, "zreplctl: vault: warning: ") {
				t.Errorf("no warning: %s", said)
			}
			// What is too much for the grid goes, as ever.
			late := d.take(d.now - 30)
			d.take(d.now - 20)
			last := d.take(d.now - 10)
			d.push()
			if _, left = d.prune(); !slices.Contains(left, last) || len(left) > len(want)+2 {
				t.Errorf("after %s: %q", late, left)
			}
			for _, name := range want {
				if !slices.Contains(left, name) {
					t.Errorf("%s is gone", name)
				}
			}
		})
	}
}

// A policy that counts gives a place to each that is pushed. What arrived less
// than a fortnight ago stays all the same.
func TestArrived(t *testing.T) {
	t.Parallel()
	d := newDated(t, `keep: [{type: last_n, count: 24}, {type: arrived, age: 14d}]`)
	good := d.hourly()
	d.prune() // notes what is there
	state := d.path("run/vault.arrivals.target")
	older := func(days int64) {
		text, err := os.ReadFile(state)
		if err != nil {
			t.Fatal(err)
		}
		var pools map[string][]map[string]any
		dec := json.NewDecoder(strings.NewReader(string(text)))
		dec.UseNumber()
		if err := dec.Decode(&pools); err != nil {
			t.Fatal(err)
		}
		for _, notes := range pools {
			for _, n := range notes {
				at, _ := n["time"].(json.Number).Int64()
				n["time"] = at - days*86400
			}
		}
		text, _ = json.Marshal(pools)
		d.write("run/vault.arrivals.target", string(text))
	}
	for range 30 {
		d.take(d.now - 5*365*86400)
	}
	d.push()
	if said, left := d.prune(); len(left) != 54 {
		t.Errorf("%d are left: %s", len(left), said)
	}
	older(13)
	if said, left := d.prune(); len(left) != 54 {
		t.Errorf("after 13 days %d are left: %s", len(left), said)
	}
	older(2)
	d.take(d.now)
	d.push()
	said, left := d.prune()
	if len(left) != 24 || slices.Contains(left, good[0]) {
		t.Errorf("after 15 days %d are left: %s", len(left), said)
	}
	// Without the notes everything has just arrived.
	for range 30 {
		d.take(d.now)
	}
	d.push()
	if err := os.Remove(state); err != nil {
		t.Fatal(err)
	}
	if _, left := d.prune("-n"); len(left) != 54 {
		t.Errorf("%d are left", len(left))
	}
	if _, err := os.Stat(state); err == nil {
		t.Error("a dry run keeps notes")
	}
	if _, left := d.prune(); len(left) != 54 {
		t.Errorf("%d are left without notes", len(left))
	}
	if _, err := os.Stat(state); err != nil {
		t.Error(err)
	}
}

// A sink's client that is over a limit gets a refusal that names it, and what
// is there stays.
func TestSinkLimits(t *testing.T) {
	t.Parallel()
	d := newDated(t, `limits: {datasets: 3, snapshots: 5, quota: required}`)
	d.take(d.now)
	refused := func(want string) {
		t.Helper()
		code, said := d.ctl("push", "-skip", "snapshot,prune", "-retries", "0", "give")
		if code != 1 || !strings.Contains(said, want) {
			t.Errorf("exit status %d: %s", code, said)
		}
	}
	refused("and this sink requires one (limits: quota)")
	d.must("zfs", "create", "-p", "-o", "quota=100M", "b/t")
	d.push()
	for range 4 {
		d.take(d.now)
		d.push()
	}
	d.take(d.now)
	refused("the limit of 5 snapshots is reached (limits: snapshots): there are 5")
	if n := len(d.guids("b/t/laptop/a/h")); n != 5 {
		t.Errorf("%d snapshots", n)
	}
	text, err := os.ReadFile(d.path("c.yml"))
	if err != nil {
		t.Fatal(err)
	}
	d.write("c.yml", strings.Replace(strings.Replace(string(text), "snapshots: 5", "snapshots: 50", 1), `{"a/h": ok}`, `{"a/h<": ok}`, 1))
	d.push()
	d.must("zfs", "create", "a/h/one")
	d.must("zfs", "snapshot", "a/h/one@zrepl_1")
	d.push() // a, a/h and a/h/one
	d.must("zfs", "create", "a/h/two")
	d.must("zfs", "snapshot", "a/h/two@zrepl_1")
	refused("the limit of 3 datasets is reached (limits: datasets): there are 3")
	last := d.take(d.now)
	refused("the limit of 3 datasets")
	if got := d.guids("b/t/laptop/a/h"); !slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, "@"+last+"\t") }) {
		t.Errorf("what is there gets no increments: %q", got)
	}
}

// A chain counts with all that it brings, and a sink that is over its limits
// refuses it as a whole.
func TestSinkLimitsChain(t *testing.T) {
	t.Parallel()
	d := newDated(t, `limits: {snapshots: 5}`)
	for range 6 {
		d.take(d.now)
	}
	code, said := d.ctl("push", "-skip", "snapshot,prune", "-retries", "0", "give")
	if code != 1 || !strings.Contains(said, "the limit of 5 snapshots is reached (limits: snapshots): there are 1") {
		t.Errorf("exit status %d: %s", code, said)
	}
	if n := len(d.guids("b/t/laptop/a/h")); n != 1 {
		t.Errorf("%d snapshots", n)
	}
	text, err := os.ReadFile(d.path("c.yml"))
	if err != nil {
		t.Fatal(err)
	}
	d.write("c.yml", strings.Replace(string(text), "snapshots: 5", "snapshots: 6", 1))
	d.push()
	if n := len(d.guids("b/t/laptop/a/h")); n != 6 {
		t.Errorf("%d snapshots", n)
	}
}

// Nothing goes on a side that sends before its partner was looked at once: the
// policy may let go the only snapshot that both have.
func TestNoPruneBeforeLook(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const later = `- name: far
  type: push
  connect: {type: exec, command: [COMMAND]}
  datasets: {"a/x": ok}
  snapshot_prefix: far_
  prune: {keep: [{type: last_n, count: 1}]}
- name: far_sink
  type: push-sink
  serve: {type: stdinserver, client_identity: farther}
  root: b/far
- name: lent
  type: source
  serve: {type: stdinserver, client_identity: borrower}
  datasets: {"a/y": ok}
  snapshot_prefix: lent_
  prune: {keep: [{type: last_n, count: 1}]}
- name: borrow
  type: pull
  connect: {type: exec, command: [zreplctl, -config, DIR/c.yml, serve, borrower]}
  mapping: {"a/y": b/borrowed}
`
	w.extend(strings.Replace(later, "COMMAND", "/bin/false", 1))
	w.must("zfs", "create", "a/x")
	w.must("zfs", "create", "a/y")
	for _, n := range []string{"1", "2", "3"} {
		w.must("zfs", "snapshot", "a/x@far_"+n)
		w.must("zfs", "snapshot", "a/y@lent_"+n)
	}
	left := func(ds string, want int) {
		t.Helper()
		if got := w.lines("zfs", "list", "-H", "-t", "snapshot", "-o", "name", ds); len(got) != want {
			t.Errorf("%q, want %d", got, want)
		}
	}
	push := func(want int) string {
		t.Helper()
		code, said := w.ctl("push", "-skip", "snapshot", "-retries", "0", "far")
		if code != want {
			t.Errorf("exit status %d, want %d: %s", code, want, said)
		}
		return said
	}
	if said := push(1); !strings.Contains(said, "the receiver has never been looked at: nothing is pruned until then, and 2 snapshots are kept") {
		t.Error(said)
	}
	if code, said := w.ctl("prune", "far"); code != 0 || !strings.Contains(said, "never been looked at") {
		t.Error(code, said)
	}
	left("a/x", 3)
	w.extend(strings.Replace(later, "COMMAND", "zreplctl, -config, DIR/c.yml, serve, farther", 1))
	push(0)
	left("a/x", 1)
	// Once it was looked at, also runs that do not get there prune.
	w.extend(strings.Replace(later, "COMMAND", "/bin/false", 1))
	w.must("zfs", "snapshot", "a/x@far_4")
	w.must("zfs", "snapshot", "a/x@far_5")
	push(1)
	left("a/x", 2)                                    // far_3 is the base
	for _, next := range []string{"far_6", "far_7"} { // what the run's directory knows, and what only the pool does
		w.must("zfs", "snapshot", "a/x@"+next)
		if code, said := w.ctl("prune", "far"); code != 0 || strings.Contains(said, "warning") {
			t.Error(code, said)
		}
		if err := os.Remove(w.path("run/far.bases")); err != nil {
			t.Error(err)
		}
	}

	if code, said := w.ctl("prune", "lent"); code != 0 || !strings.Contains(said, `client "borrower" has never fetched anything: nothing is pruned until then, and 2 snapshots are kept`) {
		t.Error(code, said)
	}
	left("a/y", 3)
	w.done("pull", "borrow")
	if code, said := w.ctl("prune", "lent"); code != 0 || strings.Contains(said, "warning") {
		t.Error(code, said)
	}
	left("a/y", 1)
}
