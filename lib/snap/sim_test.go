package snap

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/zrepl-tools/zrepl-tools/lib/fault"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
	"github.com/zrepl-tools/zrepl-tools/lib/zfssim/simhost"
)

var bin string

func TestMain(m *testing.M) { os.Exit(simhost.Main(m, &bin, nil)) }

// taking is a host with what a run on it tells.
type taking struct {
	*simhost.Host
	t       *testing.T
	z       *zfs.ZFS
	o       Options
	ctx     context.Context
	created []string
	failed  map[string]error
	result  Result
	err     error
}

func newTaking(t *testing.T, datasets ...string) *taking {
	t.Parallel()
	h := simhost.New(t, bin, append([]string{"p", "q"}, datasets...)...)
	k := &taking{Host: h, t: t, z: &zfs.ZFS{Path: h.ZFS("")}, ctx: t.Context()}
	k.o = Options{Prefix: "s_", Now: func() time.Time { return time.Unix(1_700_000_000, 5e6) },
		Created: func(name string) error { k.created = append(k.created, name); return nil },
		Failed:  func(object string, err error) { k.failed[object] = err }}
	return k
}

// take runs once and compares what it says with what there is afterwards.
func (k *taking) take(datasets ...string) {
	k.t.Helper()
	before := k.Snapshots()
	k.created, k.failed = nil, map[string]error{}
	k.Commands()
	k.result, k.err = Take(k.ctx, k.z, datasets, k.o)
	fresh := slices.DeleteFunc(k.Snapshots(), func(s string) bool { return slices.Contains(before, s) })
	slices.Sort(k.created)
	if diff := cmp.Diff(fresh, slices.Clip(k.created)); diff != "" && !k.o.DryRun && len(fresh)+len(k.created) > 0 {
		k.t.Errorf("there is more or less than was told: %s", diff)
	}
	if k.result.Taken != len(k.created) {
		k.t.Errorf("%d are counted, %d told", k.result.Taken, len(k.created))
	}
}

func (k *taking) want(r Result, created ...string) {
	k.t.Helper()
	for i := range created {
		created[i] += "@s_20231114_221320_005"
	}
	if k.err != nil || k.result != r || !slices.Equal(k.created, created) {
		k.t.Errorf("%+v %v, %v %v; want %+v %v", k.result, k.created, k.err, k.failed, r, created)
	}
}

// One command takes all snapshots of a pool, and they have one name.
func TestTake(t *testing.T) {
	k := newTaking(t, "p/a", "p/a/b", "q/c")
	k.o.Properties = map[string]string{"u:by": "test"}
	k.take("p/a", "q/c", "p/a/b", "p/a")
	k.want(Result{Taken: 3}, "p/a/b", "p/a", "q/c")
	if got := k.Must("zfs", "get", "-H", "-o", "value", "u:by", k.created[2]); got != "test\n" {
		t.Errorf("the property is %q", got)
	}
	k.Commands()
	k.o.Now = func() time.Time { return time.Unix(1_700_000_001, 0) }
	if k.result, k.err = Take(k.ctx, k.z, []string{"p/a", "q/c", "p/a/b"}, k.o); k.err != nil || len(k.Commands()) != 2 {
		t.Errorf("%v, and not one command for each of two pools", k.err)
	}
}

// Of a dataset that does not exist, only that one fails.
func TestTakeMissing(t *testing.T) {
	k := newTaking(t, "p/a", "p/b")
	for _, listed := range []bool{false, true} {
		if k.o.IfWritten = listed; listed {
			k.o.Now = func() time.Time { return time.Unix(1_700_000_002, 0) }
		}
		k.take("p/a", "p/none", "q", "p/b", "nopool/x")
		if k.err != nil || k.result.Failed != 2 || k.result.Taken+k.result.Skipped != 3 || k.failed["p/none"] == nil || len(k.failed) != 2 {
			t.Errorf("listed %v: %+v %v, %v", listed, k.result, k.failed, k.err)
		}
	}
}

// A pool that is full gets none, and the other pool gets its own.
func TestTakeFull(t *testing.T) {
	k := newTaking(t, "p/a", "p/b", "q/c")
	k.Faults("on=snapshot match=p/a from=1 fail message=cannot create snapshots : out of space")
	k.take("p/a", "p/b", "q/c")
	k.want(Result{Taken: 1, Failed: 2}, "q/c")
	if err := k.failed["p"]; !errors.Is(err, fault.NoSpace) || !strings.Contains(err.Error(), "0 of 2 snapshots are taken") {
		t.Errorf("said %v", err)
	}
	k.take("p/a") // a single one has its own name in the message
	if !errors.Is(k.failed["p/a"], fault.NoSpace) || k.result.Failed != 1 {
		t.Errorf("%+v %v", k.result, k.failed)
	}
}

func TestTakeChosen(t *testing.T) {
	k := newTaking(t, "p/a", "p/a/b", "p/a/skip", "p/z")
	k.o.Recursive, k.o.IfWritten, k.o.IfOlder = true, true, time.Hour
	k.o.Passes = func(ds string) bool { return !strings.HasSuffix(ds, "/skip") }
	at := time.Now()
	k.o.Now = func() time.Time { return at }
	name := func(ds string) string { return ds + "@" + Name("s_", DefaultFormat, at.UTC()) }
	check := func(what string, skipped int, datasets ...string) {
		t.Helper()
		for i := range datasets {
			datasets[i] = name(datasets[i])
		}
		if k.take("p/a"); k.err != nil || k.result.Skipped != skipped || !slices.Equal(k.created, datasets) {
			t.Errorf("%s: %+v %v, %v %v", what, k.result, k.created, k.err, k.failed)
		}
	}
	check("the first time", 0, "p/a/b", "p/a")
	at = at.Add(time.Minute)
	check("a minute later", 2)
	at = at.Add(2 * time.Hour)
	check("nothing was written", 2)
	k.Fill("p/a/b", 9999)
	check("one was written", 1, "p/a/b")
	k.o.Recursive, k.o.IfWritten, k.o.IfOlder = false, false, 3*time.Hour
	at = at.Add(150 * time.Minute) // one is old enough, and those below are not asked for
	check("not recursive", 0, "p/a")
}

func TestTakeNothing(t *testing.T) {
	k := newTaking(t, "p/a")
	k.o.DryRun = true
	k.take("p/a", "p/none")
	if k.err != nil || len(k.created) != 1 || len(k.Snapshots()) != 0 || k.failed["p/none"] == nil {
		t.Errorf("dry: %v %v, %v", k.created, k.Snapshots(), k.err)
	}
	k.o.DryRun = false
	long := "p/" + strings.Repeat("x", 240)
	k.take("p/a", long)
	if k.err != nil || len(k.created) != 1 || k.failed[long] == nil {
		t.Errorf("a name too long: %v %v", k.failed, k.err)
	}
	for prefix, datasets := range map[string]string{"a,b": "p/a", "a%": "p/a", "a@": "p/a", "s_": "-r", "x_": "p/a@b", "y_": "p/../a"} {
		k.o.Prefix = prefix
		if k.take("p/a", datasets); k.err == nil || len(k.created) > 0 || len(k.Commands()) > 1 {
			t.Errorf("%q %q: %v %v", prefix, datasets, k.created, k.err)
		}
	}
}

// What zfs did before it was stopped is told all the same.
func TestTakeCancelled(t *testing.T) {
	k := newTaking(t, "p/a", "p/b")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	did := filepath.Join(k.Root, "did")
	k.ctx, k.z = ctx, &zfs.ZFS{Path: k.ZFS(fmt.Sprintf(`[ "$1" != snapshot ] || { "$REAL" "$@"; : >'%s'; exec sleep 60; }`, did))}
	go func() {
		for ctx.Err() == nil {
			if _, err := os.Stat(did); err == nil {
				cancel()
			}
			time.Sleep(time.Millisecond)
		}
	}()
	k.take("p/a", "p/b")
	if !errors.Is(k.err, context.Canceled) || k.result.Taken != 2 || len(k.created) != 2 {
		t.Errorf("%+v %v, %v", k.result, k.created, k.err)
	}
	k.take("p/a")
	if !errors.Is(k.err, context.Canceled) || len(k.created) != 0 {
		t.Errorf("after the end: %v, %v", k.created, k.err)
	}
}

// A reader that has gone does not leave half of the datasets without theirs.
func TestTakeUnread(t *testing.T) {
	k := newTaking(t, "p/a", "p/b", "q/c")
	gone := errors.New("nobody reads")
	k.o.Created = func(name string) error { k.created = append(k.created, name); return gone }
	k.Commands()
	r, err := Take(k.ctx, k.z, []string{"p/a", "p/b", "q/c"}, k.o)
	if err != gone || r.Taken != 3 || len(k.Snapshots()) != 3 || len(k.created) != 1 {
		t.Errorf("%+v %v %v", r, k.created, err)
	}
}
