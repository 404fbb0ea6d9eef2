package upkeep

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/retention"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
)

func guidOf(t *testing.T, name string) dataset.GUID {
	t.Helper()
	g, err := dataset.ParseGUID(strings.TrimSpace(must(t, "zfs", "get", "-Hp", "-o", "value", "guid", name)))
	if err != nil {
		t.Fatal(err)
	}
	return g
}

const lastTwo = `type: local, mapping: {"p/a<": p/t}, snapshot_prefix: x_, prune_lhs: {keep: [{type: last_n, count: 1}]}, prune_rhs: {keep: [{type: last_n, count: 1}]}`

// What a replication goes on from stays on both sides, and the verdict says so.
func TestBasesStay(t *testing.T) {
	z := host(t, "p/a", "p/t")
	for _, short := range []string{"x_1", "x_2", "x_3", "x_4"} {
		must(t, "zfs", "snapshot", "-r", "p@"+short)
	}
	verdicts := map[string]string{}
	u := &Upkeep{ZFS: z, Job: job(t, lastTwo),
		Bases: func() (source, target map[string][]dataset.GUID, looked bool) {
			return map[string][]dataset.GUID{"p/a": {guidOf(t, "p/a@x_1"), guidOf(t, "p/t@x_2")}},
				map[string][]dataset.GUID{"p/t": {guidOf(t, "p/t@x_2")}}, true
		},
		Judged: func(name string, v retention.Verdict) { verdicts[name] = v.Rule }}
	if err := u.Prune(ctx); err != nil {
		t.Fatal(err)
	}
	want := []string{"p/a@x_1", "p/a@x_4", "p/t@x_2", "p/t@x_4"}
	if got := slices.DeleteFunc(snapshots(t), func(n string) bool { return strings.HasPrefix(n, "p@") }); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	for _, name := range []string{"p/a@x_1", "p/t@x_2"} {
		if verdicts[name] != "base" {
			t.Errorf("%s: %q", name, verdicts[name])
		}
	}
}

// A job that prefers bookmarks keeps no base that has one, and one that lost
// its bookmark.
func TestBasesWithBookmarks(t *testing.T) {
	z := host(t, "p/a", "p/a/b", "p/t")
	for _, short := range []string{"x_1", "x_2", "x_3"} {
		must(t, "zfs", "snapshot", "-r", "p/a@"+short)
	}
	must(t, "zfs", "bookmark", "p/a@x_1", fmt.Sprintf("p/a#zreplctl_local_j_%016x", uint64(guidOf(t, "p/a@x_1"))))
	u := &Upkeep{ZFS: z, Job: job(t, `type: local, cursor: bookmark, mapping: {"p/a<": p/t}, snapshot_prefix: x_, prune_lhs: {keep: [{type: last_n, count: 1}]}`),
		Bases: func() (source, target map[string][]dataset.GUID, looked bool) {
			return map[string][]dataset.GUID{"p/a": {guidOf(t, "p/a@x_1")}, "p/a/b": {guidOf(t, "p/a/b@x_1")}}, nil, true
		}}
	if err := u.Prune(ctx); err != nil {
		t.Fatal(err)
	}
	if got, want := snapshots(t), []string{"p/a/b@x_1", "p/a/b@x_3", "p/a@x_3"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// Before both sides have been looked at nothing goes on the one that sends. A
// cursor that is there shows that they were.
func TestNotLooked(t *testing.T) {
	for name, mark := range map[string]string{
		"never":                 "",
		"a hold":                "zfs hold zreplctl_local_j p/a@x_1",
		"a bookmark":            "zfs bookmark p/a@x_1 p/a#zreplctl_local_j_GUID",
		"a hold of another job": "zfs hold zreplctl_local_k p/a@x_1",
		"elsewhere":             "zfs hold zreplctl_local_j p@x_1",
	} {
		z := host(t, "p/a", "p/t")
		for _, short := range []string{"x_1", "x_2", "x_3"} {
			must(t, "zfs", "snapshot", "-r", "p@"+short)
		}
		if mark != "" {
			must(t, strings.Fields(strings.ReplaceAll(mark, "GUID", fmt.Sprintf("%016x", uint64(guidOf(t, "p/a@x_1")))))...)
		}
		var said []string
		noted := 0
		u := &Upkeep{ZFS: z, Job: job(t, lastTwo), Warn: func(text string) { said = append(said, text) },
			Bases:  func() (source, target map[string][]dataset.GUID, looked bool) { return nil, nil, false },
			Looked: func() error { noted++; return nil }}
		if err := u.Prune(ctx); err != nil {
			t.Fatal(err)
		}
		ours := name == "a hold" || name == "a bookmark"
		left := snapshots(t)
		if slices.Contains(left, "p/a@x_2") == ours || slices.Contains(left, "p/t@x_1") || (noted == 1) != ours {
			t.Errorf("%s: %v, noted %d times", name, left, noted)
		}
		if !ours && (len(said) != 1 || !strings.HasPrefix(said[0], "the receiver has never been looked at: nothing is pruned until then, and ")) {
			t.Errorf("%s: %q", name, said)
		}
	}
}

// What a run costs in commands, and in properties that ZFS has to ask each
// snapshot for.
func TestPruneCost(t *testing.T) {
	z := host(t, "p/a", "p/a/b", "p/a/c")
	dir := t.TempDir()
	var ran []string
	z.Ran = func(args []string) { ran = append(ran, strings.Join(args, " ")) }
	u := &Upkeep{ZFS: z, State: state.In(dir),
		Job: job(t, `type: prune, snapshot_prefix: x_, datasets: {"p/a<": ok}, keep: [{type: grid, grid: "1x1d(keep=all)"}, {type: last_n, count: 3}]`)}
	taken := 0
	take := func(age int64) {
		taken++
		t.Setenv("ZFS_SIM_NOW", strconv.FormatInt(time.Now().Unix()-age, 10))
		must(t, "zfs", "snapshot", "-r", "p/a@x_"+strconv.Itoa(taken))
		t.Setenv("ZFS_SIM_NOW", "")
	}
	prune := func(what string, commands ...string) {
		t.Helper()
		ran = nil
		if err := u.Prune(ctx); err != nil {
			t.Fatal(err)
		}
		for _, c := range ran {
			t.Logf("%s: zfs %s", what, c)
		}
		ok := len(ran) == len(commands)
		for i := 0; ok && i < len(commands); i++ {
			ok = strings.HasPrefix(ran[i], commands[i])
		}
		if !ok {
			t.Errorf("%s: %q, want %q", what, ran, commands)
		}
	}
	const fast, dated = "list -Hp -r -t snapshot -o name,guid,createtxg p/a", "list -Hp -r -t snapshot -o name,guid,createtxg,creation p/a"
	for i := range int64(5) {
		take(90000 - i)
	}
	take(60)
	prune("the first run", dated, "list -Hp -d 1 -t snapshot -o name,userrefs p/a p/a/b p/a/c", "list -Hp -t snapshot -o name,guid,userrefs,clones p/a@x_1 ",
		"destroy p/a@", "destroy p/a/b@", "destroy p/a/c@")
	prune("nothing to do", fast)
	if err := os.Remove(filepath.Join(dir, "j.creations.source")); err != nil {
		t.Fatal(err)
	}
	prune("nothing known", dated)
	take(30)
	prune("a snapshot more", fast, "list -Hp -t snapshot -o name,guid,creation p/a@x_7 p/a/b@x_7 p/a/c@x_7",
		"list -Hp -d 1 -t snapshot -o name,userrefs p/a p/a/b p/a/c", "list -Hp -t snapshot -o name,guid,userrefs,clones p/a@x_4 p/a/b@x_4 p/a/c@x_4", "destroy p/a@", "destroy p/a/b@", "destroy p/a/c@")
	for range 8 {
		take(20)
	}
	prune("many more", fast, "list -Hp -r -t snapshot -o name,guid,creation p/a",
		"list -Hp -d 1 -t snapshot -o name,userrefs p/a p/a/b p/a/c", "list -Hp -t snapshot -o name,guid,userrefs,clones p/a@", "destroy", "destroy", "destroy")
	take(10)
	prune("one of ten", fast, "list -Hp -t snapshot -o name,guid,creation p/a@")
}

// Where the base is known, it tells what the partner has, and no hold is looked
// for.
func TestReplicatedByBase(t *testing.T) {
	z := host(t, "p/a", "p/t")
	for _, short := range []string{"x_1", "x_2", "x_3", "x_4", "x_5"} {
		must(t, "zfs", "snapshot", "-r", "p@"+short)
	}
	must(t, "zfs", "hold", "zreplctl_local_j", "p/a@x_3", "p/a@x_4") // x_4 is under way
	for _, base := range []string{"p/a@x_3", "p@x_1"} {
		var ran, gone []string
		z.Ran = func(args []string) { ran = append(ran, strings.Join(args, " ")) }
		u := &Upkeep{ZFS: z, DryRun: true,
			Job:       job(t, `type: local, mapping: {"p/a": p/t}, snapshot_prefix: x_, prune_lhs: {keep: [{type: not_replicated}]}`),
			Destroyed: func(name string) error { gone = append(gone, name); return nil },
			Bases: func() (source, target map[string][]dataset.GUID, looked bool) {
				return map[string][]dataset.GUID{"p/a": {guidOf(t, base)}}, nil, true
			}}
		if err := u.Prune(ctx); err != nil {
			t.Fatal(err)
		}
		if strings.Join(gone, " ") != "p/a@x_1 p/a@x_2" {
			t.Errorf("%s: %v go", base, gone)
		}
		if known := base == "p/a@x_3"; (len(ran) == 2) != known {
			t.Errorf("%s: %q", base, ran)
		}
	}
}

// A client's hold that keeps a snapshot for too long is warned of and noted.
func TestOldHolds(t *testing.T) {
	z := host(t, "p/a")
	kept := state.In(t.TempDir())
	for _, short := range []string{"x_1", "x_2", "x_3"} {
		must(t, "zfs", "snapshot", "p/a@"+short)
	}
	t.Setenv("ZFS_SIM_NOW", strconv.FormatInt(time.Now().Unix()-40*day, 10))
	must(t, "zfs", "hold", "zreplctl_source_i", "p/a@x_1")
	must(t, "zfs", "hold", "mine", "p/a@x_2")
	must(t, "zfs", "hold", "zreplctl_last_j", "p/a@x_1")
	t.Setenv("ZFS_SIM_NOW", "")
	must(t, "zfs", "hold", "zreplctl_source_i", "p/a@x_2")
	const source = `type: source, serve: {type: stdinserver, client_identity: i}, datasets: {"p/a": ok}, snapshot_prefix: x_, keep: [{type: last_n, count: 1}]`
	const sink = `type: push-sink, serve: {type: stdinserver, client_identity: i}, root: p, snapshot_prefix: x_, keep: [{type: last_n, count: 1}]`
	for _, c := range []struct {
		text, more string
		want       int
	}{{source, "", 1}, {source, ", max_hold: 50d", 0}, {source, ", max_hold: 2h", 1}, {sink, "", 1}, {sink, ", max_hold: 50d", 0}} {
		var said []string
		u := &Upkeep{ZFS: z, Job: job(t, c.text+c.more), State: kept, Warn: func(text string) { said = append(said, text) }}
		if err := u.Prune(ctx); err != nil {
			t.Fatal(err)
		}
		old := ReadOld(kept, "j")
		if len(old) != c.want || len(said) != c.want {
			t.Errorf("%s: %v, %q", c.more, old, said)
		}
		for i, h := range old {
			if age := time.Since(h.Since); h.Snapshot != "p/a@x_1" || age < 40*24*time.Hour-2*time.Minute || said[i] != TooOld(u.Job, h) || !strings.HasPrefix(said[i], `client "i" has held`) {
				t.Errorf("%+v, %s", h, said[i])
			}
		}
	}
}
