package endpoint

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
)

// A copy is set aside only where the configuration lets it, only below the root,
// and only if it is still a copy that has the job's hold; and only once.
func TestSetAside(t *testing.T) {
	e := newEnds(t)
	e.fill()
	e.moved(e.ways()["local"], "", "a/x@s1")
	for _, name := range []string{"b/other", "b/back/mine"} {
		e.Must("zfs", "create", name)
	}
	e.Must("zfs", "snapshot", "b/back/mine@s1")
	ctx := t.Context()
	copied := e.snap("b/back/a/x@s1")
	ask := transfer.Aside{Copy: copied, Reason: "diverged"}
	before := e.all()
	_, sink := e.remote()
	if _, err := e.r.SetAside(ctx, ask); err == nil {
		t.Error("set aside, and the configuration does not allow it")
	}
	e.r.Asides = []string{"diverged", "options"}
	for name, in := range map[string]transfer.Aside{
		"not held":        ask,
		"another reason":  {Copy: copied, Reason: "modified"},
		"no such reason":  {Copy: copied, Reason: "options"},
		"a path":          {Copy: copied, Reason: "diverged-1/../x"},
		"no reason":       {Copy: copied},
		"no copy":         {Copy: e.snap("b/back/mine@s1"), Reason: "diverged"},
		"not there":       {Copy: transfer.Snap{Dataset: "b/back/none", Name: "s1", GUID: 1}, Reason: "diverged"},
		"not the root's":  {Copy: transfer.Snap{Dataset: "b/other", Name: "s1", GUID: 1}, Reason: "diverged"},
		"the root itself": {Copy: transfer.Snap{Dataset: "b/back", Name: "s1", GUID: 1}, Reason: "diverged"},
		"a pool":          {Copy: transfer.Snap{Dataset: "b", Name: "s1", GUID: 1}, Reason: "diverged"},
		"a flag":          {Copy: transfer.Snap{Dataset: "-f", Name: "s1", GUID: 1}, Reason: "diverged"},
		"no snapshot":     {Copy: transfer.Snap{Dataset: copied.Dataset, GUID: copied.GUID}, Reason: "diverged"},
		"another guid":    {Copy: transfer.Snap{Dataset: copied.Dataset, Name: "s1", GUID: copied.GUID + 1}, Reason: "diverged"},
	} {
		if _, err := e.r.SetAside(ctx, in); err == nil {
			t.Errorf("%s: set aside here", name)
		}
		if _, err := sink.SetAside(ctx, in); err == nil {
			t.Errorf("%s: set aside there", name)
		}
	}
	if bad, err := e.r.Protect(ctx, transfer.Holds{Hold: []transfer.Snap{copied}}); err != nil || len(bad) > 0 {
		t.Fatal(bad, err)
	}
	e.r.Shared = func(string) error { return errors.New("it is another job's") }
	if _, err := sink.SetAside(ctx, ask); err == nil {
		t.Error("set aside, though it is another job's")
	}
	e.r.Shared, e.r.Limits = nil, Limits{Datasets: 3}
	if _, err := sink.SetAside(ctx, ask); err == nil || !strings.Contains(err.Error(), "limits: datasets") {
		t.Errorf("more than the limit allows: %v", err)
	}
	e.r.Limits = Limits{}
	if after := e.all(); after != before && strings.Contains(after, "diverged") {
		t.Errorf("something was changed:\n%s\n%s", before, after)
	}
	got, err := sink.SetAside(ctx, ask)
	if of, ok := dataset.AsideOf(got.Dataset); err != nil || !ok || of != copied.Dataset {
		t.Fatalf("%q: %v", got.Dataset, err)
	}
	if now := e.snap(got.Dataset + "@s1"); now.GUID != copied.GUID {
		t.Errorf("guid %s, and before %s", now.GUID, copied.GUID)
	}
	list, err := sink.List(ctx, transfer.ListRequest{Thorough: true})
	at := slices.IndexFunc(list, func(d transfer.Dataset) bool { return d.Name == got.Dataset })
	if err != nil || at < 0 || list[at].Aside != copied.Dataset || len(list[at].Versions) > 0 || list[at].Copy {
		t.Errorf("%+v: %v", list, err)
	}
	for _, name := range []string{got.Dataset, got.Dataset + "/below"} {
		if bad, err := sink.Protect(ctx, transfer.Holds{Hold: []transfer.Snap{{Dataset: name, Name: "s1", GUID: copied.GUID}}}); err == nil {
			t.Errorf("held %q: %v", name, bad)
		}
		if err := sink.Placeholder(ctx, transfer.Placeholder{Dataset: name + "/evil"}); err == nil || !strings.Contains(err.Error(), "was set aside") {
			t.Errorf("a placeholder below %q: %v", name, err)
		}
		if err := sink.Abort(ctx, transfer.Name{Dataset: name}); err == nil || !strings.Contains(err.Error(), "was set aside") {
			t.Errorf("aborted %q: %v", name, err)
		}
		if err := e.r.checkReceive(ctx, transfer.ReceiveRequest{Dataset: name}); err == nil || !strings.Contains(err.Error(), "was set aside") {
			t.Errorf("received into %q: %v", name, err)
		}
	}
	e.r.Renames = func(string) error { return nil }
	if err := sink.Rename(ctx, transfer.Rename{From: transfer.Snap{Dataset: got.Dataset, Name: "s1", GUID: copied.GUID}, To: "b/back/a/z"}); err == nil || !strings.Contains(err.Error(), "was set aside") {
		t.Errorf("renamed what was set aside: %v", err)
	}
	e.moved(e.ways()["local"], "", "a/x@s1")
	if bad, err := e.r.Protect(ctx, transfer.Holds{Hold: []transfer.Snap{copied}}); err != nil || len(bad) > 0 {
		t.Fatal(bad, err)
	}
	if _, err := sink.SetAside(ctx, ask); err == nil || !strings.Contains(err.Error(), "was set aside before and is still there") {
		t.Errorf("a second one: %v", err)
	}
	e.Must("zfs", "destroy", "-r", got.Dataset)
	e.Must("zfs", "create", got.Dataset)                                     // somebody else's of that name
	for _, p := range [][2]string{{"readonly", "off"}, {"canmount", "on"}} { // as activate does
		was := e.Must("zfs", "get", "-Ho", "value", p[0], copied.Dataset)
		e.Must("zfs", "set", p[0]+"="+p[1], copied.Dataset)
		if _, err := sink.SetAside(ctx, ask); err == nil || !strings.Contains(err.Error(), "is not inert: "+p[0]+" is "+p[1]) {
			t.Errorf("set aside what somebody uses: %v", err)
		}
		e.Must("zfs", "set", p[0]+"="+strings.TrimSpace(was), copied.Dataset)
	}
	again, err := sink.SetAside(ctx, ask)
	if err != nil || again.Dataset != got.Dataset+"-2" {
		t.Errorf("%q: %v", again.Dataset, err)
	}
}

// A volume that has a device is never set aside, whatever the configuration sets:
// it may be open. What override sets of a file system is the job's own.
func TestAsideInUse(t *testing.T) {
	for _, c := range []struct {
		kind, has, override, want string
	}{
		{"volume", "volmode=none snapdev=hidden readonly=on", "", ""},
		{"volume", "volmode=default snapdev=hidden readonly=on", "", "volmode is default"},
		{"volume", "volmode=default snapdev=hidden readonly=on", "volmode=default", "volmode is default"},
		{"volume", "volmode=none snapdev=visible readonly=on", "snapdev=visible", "snapdev is visible"},
		{"volume", "volmode=none snapdev=hidden readonly=off", "", "readonly is off"},
		{"filesystem", "canmount=noauto readonly=on", "", ""},
		{"filesystem", "canmount=off readonly=on", "", ""},
		{"filesystem", "canmount=on readonly=on", "", "canmount is on"},
		{"filesystem", "canmount=noauto readonly=off", "", "readonly is off"},
		{"filesystem", "canmount=on readonly=off", "canmount=on readonly=off", ""},
		{"filesystem", "canmount=on readonly=off", "canmount=on", "readonly is off"},
	} {
		pairs := func(text string) map[string]string {
			all := map[string]string{}
			for _, p := range strings.Fields(text) {
				name, value, _ := strings.Cut(p, "=")
				all[name] = value
			}
			return all
		}
		d := zfs.Dataset{Name: "b/x", Type: c.kind, Properties: map[string]zfs.Property{}}
		for name, value := range pairs(c.has) {
			d.Properties[name] = zfs.Property{Value: value}
		}
		a := setAside{r: &Receiver{Set: pairs(c.override)}, name: "b/x"}
		if got := a.inUse(d); got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
}

// A mark that a try left counts for some days and for that copy, so that it does not
// stand for the job's holds for ever; and none that a person has renamed back.
func TestAsideBegun(t *testing.T) {
	now := time.Date(2026, 12, 3, 12, 0, 0, 0, time.UTC)
	a := setAside{name: "b/x"}
	for mark, want := range map[string]bool{
		"begun:x.diverged-20261203": true, "begun:x.diverged-20261201-2": true, "begun:x.diverged-20261120": false,
		"x.diverged-20261203": false, "begun:y.diverged-20261203": false, "x": false, "": false, "begun:": false,
	} {
		if got := a.recentlyBegun(zfs.Property{Value: mark, Source: "local"}, now); got != want {
			t.Errorf("%q: %v", mark, got)
		}
		if a.recentlyBegun(zfs.Property{Value: mark, Source: "received"}, now) {
			t.Errorf("%q, received", mark)
		}
		for name, ok := range map[string]bool{"b/x.diverged-20261203": strings.HasSuffix(mark, "x.diverged-20261203"), "b/x": false, "b/kept": false} {
			of := asideOf(zfs.Dataset{Name: name, Properties: map[string]zfs.Property{AsideProperty: {Value: mark, Source: "local"}}})
			if of != "" != ok {
				t.Errorf("%q with the mark %q was %q", name, mark, of)
			}
		}
	}
}

// No job of this host offers what another one has set aside.
func TestAsideNotOffered(t *testing.T) {
	e := newEnds(t)
	e.fill()
	name := "a/x/y.diverged-20261201"
	e.Must("zfs", "create", name)
	e.Must("zfs", "create", name+"/below")
	e.Must("zfs", "snapshot", "-r", name+"@s1")
	offers := func() (n int) {
		list, err := e.s.List(t.Context(), transfer.ListRequest{})
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range list {
			if dataset.Within(d.Name, name) {
				n++
			}
		}
		return n
	}
	if offers() != 2 {
		t.Error("what only has such a name is not offered")
	}
	e.Must("zfs", "set", AsideProperty+"=y.diverged-20261201", name)
	if offers() != 0 {
		t.Error("what was set aside is offered")
	}
	if err := e.s.offers(t.Context(), name+"/below"); !errors.Is(err, errNotOffered) {
		t.Errorf("%v", err)
	}
}

// A volume that was made inert while it was open has its device still.
func TestAsideDevice(t *testing.T) {
	was := volumeDevices
	defer func() { volumeDevices = was }()
	volumeDevices = t.TempDir()
	d := zfs.Dataset{Name: "b/x y", Type: "volume", Properties: map[string]zfs.Property{SendProperty: {Value: "raw", Source: "local"},
		"volmode": {Value: "none"}, "snapdev": {Value: "hidden"}, "readonly": {Value: "on"}}}
	versions := []dataset.Version{{Kind: dataset.Snapshot, Name: "s1", GUID: 1}}
	look := func() error { return (&setAside{r: &Receiver{}, name: d.Name}).lookAt(d, versions) }
	if err := look(); err != nil {
		t.Error(err)
	}
	if err := os.MkdirAll(volumeDevices+"/b", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../zd0", volumeDevices+"/b/x+y"); err != nil {
		t.Fatal(err)
	}
	if err := look(); err == nil || !strings.Contains(err.Error(), "has it open") {
		t.Error(err)
	}
}
