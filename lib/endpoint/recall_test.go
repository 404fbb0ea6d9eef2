package endpoint

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
	"github.com/zrepl-tools/zrepl-tools/lib/zfssim/simhost"
)

const module = "github.com/zrepl-tools/zrepl-tools/"

var simulator string // the folder of zfs, zpool and the framers

func TestMain(m *testing.M) {
	os.Exit(simhost.Main(m, &simulator, map[string]string{"zsend-frame": module + "zsend-frame", "zrecv-frame": module + "zrecv-frame"}))
}

// paper is a Memory.
type paper struct{ text []byte }

func (p *paper) Read() ([]byte, error)   { return p.text, nil }
func (p *paper) Write(text []byte) error { p.text = bytes.Clone(text); return nil }

type everything struct{}

func (everything) Pass(string) bool        { return true }
func (everything) Roots() ([]string, bool) { return nil, true }

// remembering is a host with a sender and a receiver that remember.
type remembering struct {
	t        *testing.T
	commands []string // of the last look
	now      int64    // by the host's clock
	here     *Sender
	there    *Receiver
	papers   [2]*paper
}

func newRemembering(t *testing.T) *remembering {
	t.Setenv("ZFS_SIM_ROOT", t.TempDir())
	t.Setenv("PATH", simulator+":"+os.Getenv("PATH"))
	r := &remembering{t: t, papers: [2]*paper{{}, {}}}
	r.at(time.Now().Unix() - 100_000)
	var mu sync.Mutex
	z := &zfs.ZFS{Path: simulator + "/zfs", Ran: func(args []string) {
		mu.Lock()
		defer mu.Unlock()
		r.commands = append(r.commands, strings.Join(args, " "))
	}}
	for _, pool := range []string{"p", "q"} {
		disk := t.TempDir() + "/" + pool
		if os.WriteFile(disk, nil, 0o600) != nil || os.Truncate(disk, 1<<30) != nil || !r.run("zpool", "create", pool, disk) {
			t.Fatal("no pool")
		}
	}
	r.here = &Sender{ZFS: z, Datasets: everything{}, Tag: "zreplctl_source_x", Memory: r.papers[0]}
	r.there = &Receiver{ZFS: z, Tag: "zreplctl_last_x", Roots: []string{"p", "q"}, Memory: r.papers[1]}
	return r
}

func (r *remembering) at(now int64) {
	r.now = now
	r.t.Setenv("ZFS_SIM_CHANGED", strconv.FormatInt(now, 10))
}

func (r *remembering) run(args ...string) bool {
	cmd := exec.Command(simulator+"/"+args[0], args[1:]...)
	if args[0] == "old-zfs" {
		cmd = exec.Command(simulator+"/zfs", args[1:]...)
		cmd.Env = append(os.Environ(), "ZFS_SIM_VERSION=2.1")
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.t.Logf("%q: %s", args, out)
	}
	return err == nil
}

// look compares what both ends tell with what they tell without a memory, and
// returns how many commands asked for snapshots.
func (r *remembering) look(what string) (asked int) {
	r.t.Helper()
	r.commands = nil
	r.look1(what, 0)
	r.look1(what, 1)
	for _, c := range r.commands {
		if strings.Contains(c, "-t snapshot") {
			asked++
		}
	}
	return asked
}

func (r *remembering) look1(what string, end int) {
	r.t.Helper()
	list := r.here.List
	if end == 1 {
		list = r.there.List
	}
	got, err := list(r.t.Context(), transfer.ListRequest{})
	if err != nil {
		r.t.Fatal(what, err)
	}
	commands := r.commands
	r.here.Memory, r.there.Memory = nil, nil
	want, err := list(r.t.Context(), transfer.ListRequest{})
	if err != nil {
		r.t.Fatal(what, err)
	}
	r.commands, r.here.Memory, r.there.Memory = commands, r.papers[0], r.papers[1]
	if d := cmp.Diff(want, got); d != "" {
		r.t.Fatalf("%s: %s", what, d)
	}
}

// TestRemembered: whatever is done to datasets, snapshots and pools, an end that
// remembers tells what one does that lists everything. It asks only for the
// snapshots of what changed.
func TestRemembered(t *testing.T) {
	r := newRemembering(t)
	for _, ds := range []string{"p/a", "p/b", "p/b/c", "p/d", "q/e", "q/f"} {
		r.run("zfs", "create", ds)
	}
	r.run("zfs", "snapshot", "-r", "p@s0")
	rng := rand.New(rand.NewPCG(7, 7))
	spared, steps := 0, 30
	if os.Getenv("ZT_HEAVY") != "" {
		steps = 1500
	}
	for i := range steps {
		r.at(r.now + int64(rng.IntN(8)))
		what := r.something(rng, i)
		r.look(what)
		if r.at(r.now + 4); r.look(what+" (again)") == 0 {
			spared++
		}
	}
	if spared < steps*8/10 {
		t.Errorf("of %d looks only %d needed no list of snapshots", steps, spared)
	}
}

// TestRememberedRenamed: a dataset that had another name while its snapshots
// were listed, and is renamed back, is not known to have none.
func TestRememberedRenamed(t *testing.T) {
	r := newRemembering(t)
	for _, ds := range []string{"p/a", "p/b", "p/c", "p/d", "p/e"} {
		r.run("zfs", "create", ds)
	}
	r.run("zfs", "snapshot", "-r", "p@s0")
	r.at(r.now + 10)
	r.look("at first")
	r.run("zfs", "snapshot", "p/a@s1")
	r.at(r.now + 10)
	wrapper := t.TempDir() + "/zfs"
	text := "#!/bin/sh\ncase \"$*\" in *\"-t snapshot\"*p/a*) zfs rename p/a p/away; zfs \"$@\"; s=$?; zfs rename p/away p/a; exit $s;; esac\nexec zfs \"$@\"\n"
	if err := simhost.WriteProgram(wrapper, text); err != nil {
		t.Fatal(err)
	}
	real := r.here.ZFS.Path
	r.here.ZFS.Path = wrapper
	r.here.List(t.Context(), transfer.ListRequest{})
	r.here.ZFS.Path = real
	if r.look1("renamed back", 0); len(r.papers[0].text) == 0 {
		t.Error("nothing is remembered")
	}
}

// something does something to a dataset or a pool.
func (r *remembering) something(rng *rand.Rand, i int) string {
	lines := func(args ...string) []string {
		out, _ := exec.Command(simulator+"/zfs", args...).Output()
		return strings.Fields(string(out))
	}
	sets := slices.DeleteFunc(lines("list", "-H", "-o", "name"), func(n string) bool { return !strings.Contains(n, "/") })
	ds := sets[rng.IntN(len(sets))]
	snaps := lines("list", "-H", "-o", "name", "-t", "snapshot", "-d", "1", ds)
	snap := ds + "@none"
	if len(snaps) > 0 {
		snap = snaps[rng.IntN(len(snaps))]
	}
	pool := []string{"p", "q"}[rng.IntN(2)]
	var all [][]string
	switch n := fmt.Sprint(i); rng.IntN(15) {
	case 0, 1, 2:
		all = [][]string{{"zfs", "snapshot", ds + "@s" + n}}
	case 3:
		all = [][]string{{"zfs", "snapshot", "-r", pool + "@r" + n}}
	case 4:
		all = [][]string{{"zfs", "destroy", snap}}
	case 5:
		all = [][]string{{"zfs", "hold", "t", snap}, {"zfs", "destroy", "-d", snap}, {"zfs", "release", "t", snap}}
	case 6:
		all = [][]string{{"zfs", "rename", snap, "@n" + n}}
	case 7:
		all = [][]string{{"zfs", "rename", ds, pool + "/m" + n}}
	case 8: // two change places
		other := sets[rng.IntN(len(sets))]
		all = [][]string{{"zfs", "rename", ds, ds + "tmp"}, {"zfs", "rename", other, ds}, {"zfs", "rename", ds + "tmp", other}}
	case 9: // another one with the same name
		all = [][]string{{"zfs", "destroy", "-R", ds}, {"zfs", "create", ds}, {"zfs", "snapshot", ds + "@s0"}}
	case 10:
		all = [][]string{{"zfs", "rollback", "-r", snap}}
	case 11:
		all = [][]string{{"zfs", "clone", snap, pool + "/c" + n}, {"zfs", "promote", pool + "/c" + n}}
	case 12:
		all = [][]string{{"zfs", "bookmark", snap, ds + "#b" + n}}
	case 13:
		all = [][]string{{"sh", "-c", "zfs send " + snap + " | zfs receive -F " + pool + "/got" + n}}
	case 14: // elsewhere, under a system that knows no snapshots_changed
		all = [][]string{{"zpool", "export", pool}, {"zpool", "import", pool}}
		if len(snaps) > 0 && strings.HasPrefix(ds, pool) {
			all = slices.Insert(all, 1, []string{"zpool", "import", pool}, []string{"old-zfs", "destroy", snap}, []string{"zpool", "export", pool})
		}
	}
	for _, args := range all {
		if args[0] == "sh" {
			exec.Command(args[0], args[1:]...).Run()
			continue
		}
		r.run(args...)
	}
	return fmt.Sprintf("step %d: %q", i, all)
}

// TestNotRemembered: what was changed in the last seconds, what a damaged or
// foreign file says and what ZFS before 2.2 has is listed.
func TestNotRemembered(t *testing.T) {
	r := newRemembering(t)
	r.run("zfs", "create", "p/a")
	r.run("zfs", "snapshot", "p@s1", "p/a@s1")
	r.run("zfs", "snapshot", "q@s1") // a dataset without snapshots is asked about every time
	r.look("cold")
	if r.look("warm") != 0 {
		t.Error("snapshots are listed again")
	}
	r.at(time.Now().Unix())
	r.run("zfs", "snapshot", "p/a@s2")
	r.look("a change")
	r.at(time.Now().Unix())
	r.run("zfs", "snapshot", "p/a@s3")
	r.look("a change within the same second")
	r.at(time.Now().Unix() + 1000)
	r.run("zfs", "snapshot", "p/a@s4")
	r.look("a change in the future")
	r.run("zfs", "snapshot", "p/a@s5")
	r.look("another one")
	for _, text := range []string{"", "x", string(r.papers[0].text[:40]), string(r.papers[0].text) + "x", strings.Repeat("\xff", 1000)} {
		r.papers[0].text, r.papers[1].text = []byte(text), []byte(text)
		r.look("a damaged file")
	}
	t.Setenv("ZFS_SIM_VERSION", "2.1")
	r.papers[0].text, r.papers[1].text = nil, nil
	r.look("2.1")
	if r.look("2.1, again"); strings.Contains(strings.Join(r.commands, " "), "snapshots_changed") {
		t.Errorf("asked again: %q", r.commands)
	}
	t.Setenv("ZFS_SIM_VERSION", "2.3")
	fresh, err := r.here.List(t.Context(), transfer.ListRequest{Fresh: true})
	if err != nil || len(fresh) != 3 {
		t.Error(fresh, err)
	}
}

// A dataset that shows no time of its last change is asked about every time: on
// some systems none ever does.
func TestNoTimeOfChange(t *testing.T) {
	loads := map[string]uint64{"p": 7}
	for text, want := range map[string]bool{"1700000000": true, "-": false, "": false, "0": false, "x": false} {
		d := zfs.Dataset{Name: "p/a", Properties: map[string]zfs.Property{"guid": {Value: "5"}, "snapshots_changed": {Value: text}}}
		if _, _, ok := stampOf(d, loads); ok != want {
			t.Errorf("%q: %v", text, ok)
		}
	}
}
