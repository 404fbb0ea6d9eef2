package upkeep

import (
	"cmp"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/zfssim/simhost"
)

// pools makes a source pool a, a target pool b, the programs, and a
// configuration of local jobs that keep as little as they can.
func pools(t *testing.T) (dir string) {
	dir = t.TempDir()
	t.Setenv("ZFS_SIM_ROOT", filepath.Join(dir, "sim"))
	t.Setenv("ZREPL_ZFS", filepath.Join(bin, "zfs"))
	if err := os.Mkdir(filepath.Join(dir, "sim"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, pool := range []string{"a", "b"} {
		disk := filepath.Join(dir, pool)
		if err := os.WriteFile(disk, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(disk, 256<<20); err != nil {
			t.Fatal(err)
		}
		must(t, "zpool", "create", pool, disk)
	}
	for _, ds := range []string{"a/x", "a/x/y"} {
		must(t, "zfs", "create", ds)
	}
	const last = `{keep: [{type: last_n, count: 1}]}`
	text := "global: {rundir: " + dir + "/run}\njobs:\n" +
		`- {name: hold, type: local, mapping: {"a/x<": b/hold}, snapshot_prefix: h_, prune_lhs: ` + last + `, prune_rhs: ` + last + "}\n" +
		`- {name: bookmark, type: local, cursor: bookmark, mapping: {"a/x<": b/bookmark}, snapshot_prefix: m_, prune_lhs: ` + last + `, prune_rhs: ` + last + "}\n" +
		`- {name: careful, type: local, mapping: {"a/x<": b/careful}, snapshot_prefix: c_, prune_lhs: {keep: [{type: not_replicated}]}, prune_rhs: ` + last + "}\n"
	if err := os.WriteFile(filepath.Join(dir, "c.yml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// Both sides let go of all that they may, after every run and after runs that
// fail, and still the next run goes on where the last one has ended.
func TestPruningNeverCutsTheChain(t *testing.T) {
	programs := cmp.Or(simhost.Built(), t.TempDir())
	for _, name := range []string{"zreplctl", "zsend-frame", "zrecv-frame"} {
		if simhost.Built() != "" {
			break
		}
		if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", filepath.Join(programs, name), "github.com/zrepl-tools/zrepl-tools/"+name).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	rounds := 2
	if os.Getenv("ZT_HEAVY") != "" {
		rounds = 12
	}
	dir := pools(t)
	for job, prefix := range map[string]string{"hold": "h_", "bookmark": "m_", "careful": "c_"} {
		run := func(faults string) (string, bool) {
			cmd := exec.Command(filepath.Join(programs, "zreplctl"), "-config", filepath.Join(dir, "c.yml"), "local", job)
			cmd.Env = append(os.Environ(), "ZFS_SIM_FAULTS="+faults)
			out, err := cmd.CombinedOutput()
			return string(out), err == nil
		}
		for round := range rounds {
			if round%2 == 1 {
				if out, ok := run("on=receive from=1 fail=1 message=cannot receive: out of luck"); ok {
					t.Errorf("%s, round %d: a failed receive is success: %s", job, round, out)
				}
			}
			if out, ok := run(""); !ok {
				t.Fatalf("%s, round %d: %s", job, round, out)
			}
			for _, below := range []string{"", "/y"} {
				from, to := guids(t, "a/x"+below, prefix), guids(t, "b/"+job+below, prefix)
				if len(to) != 1 || len(from) == 0 || !slices.Contains(from, to[0]) {
					t.Errorf("%s, round %d: a/x%s has %v, b/%s%s has %v", job, round, below, from, job, below, to)
				}
				if len(from) > 2 {
					t.Errorf("%s, round %d: a/x%s keeps %d snapshots", job, round, below, len(from))
				}
			}
		}
	}
}

// guids are those of a dataset's own snapshots with the prefix.
func guids(t *testing.T, ds, prefix string) (all []string) {
	t.Helper()
	for line := range strings.Lines(must(t, "zfs", "list", "-Hp", "-d", "1", "-t", "snapshot", "-o", "name,guid", ds)) {
		name, guid, _ := strings.Cut(strings.TrimSpace(line), "\t")
		if strings.HasPrefix(name, ds+"@"+prefix) {
			all = append(all, guid)
		}
	}
	return all
}
