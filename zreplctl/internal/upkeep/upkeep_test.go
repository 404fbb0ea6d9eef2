package upkeep

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
	"github.com/zrepl-tools/zrepl-tools/lib/zfssim/simhost"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
)

var bin string // holds zfs and zpool

func TestMain(m *testing.M) { os.Exit(simhost.Main(m, &bin, nil)) }

// host makes a machine with a simulated pool and these datasets.
func host(t *testing.T, datasets ...string) *zfs.ZFS {
	h := simhost.New(t, bin, append([]string{"p"}, datasets...)...)
	t.Setenv("ZFS_SIM_ROOT", h.Root)
	return &zfs.ZFS{Path: filepath.Join(bin, "zfs")}
}

func must(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command(filepath.Join(bin, args[0]), args[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v: %s", args, err, out)
	}
	return string(out)
}

func snapshots(t *testing.T) []string {
	t.Helper()
	names := strings.Fields(must(t, "zfs", "list", "-H", "-t", "snapshot", "-o", "name"))
	slices.Sort(names)
	return names
}

// job reads one job of the configuration.
func job(t *testing.T, text string) *config.Job {
	t.Helper()
	c, err := config.Read(strings.NewReader("jobs:\n- {name: j, "+text+"}\n"), "test")
	if err != nil {
		t.Fatal(err)
	}
	return c.Jobs[0]
}

var ctx = context.Background()

func TestSnapshot(t *testing.T) {
	z := host(t, "p/a", "p/a/b", "p/c", "p/d")
	for text, want := range map[string]string{
		`type: autosnap, snapshot_prefix: x_, datasets: {"p/a<": ok, "p/c": ok}`:                                                  "p/a p/a/b p/c",
		`type: autosnap, snapshot_prefix: x_, datasets: {"<": ok, "p/a<": "!"}`:                                                   "p p/c p/d",
		`type: source, serve: {type: stdinserver, client_identity: i}, snapshot_prefix: x_, datasets: {"p/d": ok, "p/none<": ok}`: "p/d !p/none",
		`type: local, snapshot_prefix: x_, mapping: {"p/a<": p/t, "p/a/b": "!"}`:                                                  "p/a",
		`type: pull, connect: {type: exec, command: [x]}, snapshot_prefix: x_, mapping: {"<": p/d}`:                               "",
	} {
		var got []string
		u := &Upkeep{ZFS: z, Job: job(t, text), Created: func(name string) error {
			ds, short, _ := strings.Cut(name, "@")
			if !strings.HasPrefix(short, "x_") {
				t.Errorf("%s: %s", text, name)
			}
			got = append(got, ds)
			return nil
		}}
		u.DryRun = true
		if u.Snapshot(ctx); len(snapshots(t)) != 0 {
			t.Fatalf("%s: a dry run takes snapshots", text)
		}
		u.DryRun, got = false, nil
		err := u.Snapshot(ctx)
		want, missing, _ := strings.Cut(want, " !")
		if (err != nil) != (missing != "") || err != nil && !strings.Contains(err.Error(), `cannot snapshot "`+missing+`": dataset does not exist`) {
			t.Errorf("%s: %v", text, err)
		}
		if slices.Sort(got); strings.Join(got, " ") != want {
			t.Errorf("%s: %v, want %s", text, got, want)
		}
		for _, name := range snapshots(t) {
			must(t, "zfs", "destroy", name)
		}
	}
}

func TestPrune(t *testing.T) {
	z := host(t, "p/a", "p/a/b", "p/t", "p/t/x", "p/t/y")
	const last = `{keep: [{type: last_n, count: 1}]}`
	for text, want := range map[string]string{
		`type: prune, snapshot_prefix: x_, datasets: {"p/a<": ok, "p/a/b": "!"}, prune: ` + last:                                                   "p/a",
		`type: prune, snapshot_prefix: x_, datasets: {"<": ok, "p/a<": "!", "p/none<": ok}, prune: ` + last:                                        "p p/t p/t/x p/t/y",
		`type: autosnap, snapshot_prefix: x_, datasets: {"p/a": ok}, keep: [{type: last_n, count: 1}]`:                                             "p/a",
		`type: pull, connect: {type: exec, command: [x]}, snapshot_prefix: x_, mapping: {"q<": p/t, "q/y": "!"}, prune: ` + last:                   "p/t p/t/x",
		`type: pull, connect: {type: exec, command: [x]}, snapshot_prefix: x_, mapping: {"q<": p/none}, prune: ` + last:                            "",
		`type: push-sink, serve: {type: stdinserver, client_identity: i}, root: p/t, snapshot_prefix: x_, prune: ` + last:                          "p/t/x p/t/y",
		`type: local, mapping: {"p/a<": p/t/x}, snapshot_prefix: x_, prune_lhs: ` + last:                                                           "p/a p/a/b",
		`type: local, mapping: {"p/a<": p/t/x}, snapshot_prefix: x_, prune_rhs: ` + last:                                                           "p/t/x",
		`type: local, mapping: {"p/a<": p/t/x}, snapshot_prefix: x_`:                                                                               "",
		`type: source, serve: {type: stdinserver, client_identity: i}, datasets: {"p/a": ok}, snapshot_prefix: x_, keep: [{type: not_replicated}]`: "",
	} {
		for _, short := range []string{"x_1", "manual", "x_2"} {
			exec.Command(filepath.Join(bin, "zfs"), "destroy", "-r", "p@"+short).Run() // none at first
			must(t, "zfs", "snapshot", "-r", "p@"+short)
		}
		before := snapshots(t)
		var told []string
		u := &Upkeep{ZFS: z, Job: job(t, text), DryRun: true, Destroyed: func(name string) error { told = append(told, name); return nil }}
		if err := u.Prune(ctx); err != nil || !slices.Equal(before, snapshots(t)) {
			t.Fatalf("%s: a dry run: %v, destroys %v", text, err, told)
		}
		u.DryRun = false
		told = nil
		if err := u.Prune(ctx); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		var gone []string
		for _, ds := range strings.Fields(want) {
			gone = append(gone, ds+"@x_1")
		}
		left := slices.DeleteFunc(slices.Clone(before), func(name string) bool { return slices.Contains(gone, name) })
		slices.Sort(told)
		slices.Sort(gone)
		if !slices.Equal(told, gone) || !slices.Equal(snapshots(t), left) {
			t.Errorf("%s: gone %v, want %v; left %v", text, told, gone, snapshots(t))
		}
	}
}

func TestPruneTellsWhatIsLeft(t *testing.T) {
	z := host(t, "p/a", "p/b")
	for _, short := range []string{"x_1", "x_2"} {
		must(t, "zfs", "snapshot", "-r", "p@"+short)
	}
	t.Setenv("ZFS_SIM_FAULTS", "on=destroy match=p/a@ from=1 fail=1 message=cannot destroy snapshot p/a@x_1: dataset is busy")
	u := &Upkeep{ZFS: z, Job: job(t, `type: prune, snapshot_prefix: x_, datasets: {"p/a": ok, "p/b": ok}, keep: [{type: last_n, count: 1}]`)}
	err := u.Prune(ctx)
	if err == nil || !strings.HasPrefix(err.Error(), `cannot destroy "p/a@x_1": `) || !strings.HasSuffix(err.Error(), "dataset is busy") {
		t.Errorf("%v", err)
	}
	if got := snapshots(t); !slices.Equal(got, []string{"p/a@x_1", "p/a@x_2", "p/b@x_2", "p@x_1", "p@x_2"}) {
		t.Errorf("left: %v", got)
	}
}
