package job_test

import (
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// givesBack lets the sink give its client back what that has sent.
func (w *world) givesBack() {
	w.t.Helper()
	w.replace("  root: b/sink/pusher\n", "  root: b/sink/pusher\n  restore: allow\n")
}

// A host that was lost takes a tree back over its own connection, if its sink
// allows it. At the sink nothing is changed.
func TestRestoreFar(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tree()
	w.encrypted("a/x/enc")
	w.fill("a/x/enc", 3000)
	w.must("zfs", "create", "-V", "10M", "a/x/vol")
	w.snapshot("s1")
	w.done("push", "pushit")
	w.speaks(w.restored(1, "-r", "pushit", "a/x", "b/new"), `needs "restore: allow"`)
	w.givesBack()
	before := w.everything()
	plan := w.restored(0, "-n", "-r", "pushit", "a/x", "b/new")
	w.speaks(plan, "full\tb/sink/pusher/a/x@s1\tb/new\t", "full\tb/sink/pusher/a/x/enc@s1\tb/new/enc\t")
	if strings.Contains(plan, "\t-\n") {
		t.Errorf("no size: %s", plan)
	}
	if after := w.everything(); !slices.Equal(before, after) {
		t.Error("-n changed something")
	}
	said := w.restored(0, "-r", "-progress", "pushit", "a/x", "b/new")
	after := slices.DeleteFunc(w.everything(), func(line string) bool { return strings.HasPrefix(line, "b/new") })
	if !slices.Equal(before, after) {
		t.Errorf("something else was changed: %q, %q", before, after)
	}
	w.same("b/new", "b/sink/pusher/a/x")
	w.shows("b/new", "readonly", "on local")
	w.speaks(said, "zfs load-key b/new/enc\n")
	w.speaks(w.restored(1, "-r", "pushit", "a/x/vol", "b/new"), `"b/new" exists`)
	for _, command := range next(strings.ReplaceAll(said, "load-key b", "load-key -L file://"+w.path("key")+" b")) {
		w.must(command...)
	}
	w.shows("b/new/enc", "mounted", "yes -")
	w.done("push", "pushit")
}

// The newest snapshot, one by name, and what is not there are as with copies of
// this host.
func TestRestoreFarChooses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.givesBack()
	w.tree()
	w.snapshot("s1")
	w.done("push", "pushit")
	w.fill("a/x/y", 1000)
	w.snapshot("s2")
	w.done("push", "pushit")
	w.speaks(w.restored(0, "-n", "pushit", "a/x/y", "b/new"), "b/sink/pusher/a/x/y@s2\t")
	w.restored(0, "pushit", "a/x/y@s1", "b/one")
	w.sameGUID("b/one@s1", "a/x/y@s1")
	w.speaks(w.restored(1, "pushit", "a/x/y@s3", "b/three"), "has no snapshot @s3; its newest is @s2", "on the sink's host: zfs list -t snapshot b/sink/pusher/a/x/y shows")
	w.speaks(w.restored(1, "pushit", "a/none", "b/three"), "does not exist")
	w.speaks(w.restored(1, "pushit", "a/x/y", "a/x/new"), `sends from "a/x/new"`)
	w.must("zfs", "create", "b/sink/pusher/a/x/admins")
	w.must("zfs", "snapshot", "b/sink/pusher/a/x/admins@s2")
	w.speaks(w.restored(1, "-r", "pushit", "a/x", "b/tree"), `"b/sink/pusher/a/x/admins": the copy has no snapshot @s2; it has none`)
	w.speaks(w.restored(2, "offer", "a/x", "b/three"), "has no copies on this host")
}

// A restore that was cut holds at the sink what it needs, whatever is pruned
// there. The same command continues, and either side can abandon it.
func TestRestoreFarCut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.givesBack()
	w.tree()
	w.fill("a/x", 4<<20)
	w.snapshot("s1")
	w.done("push", "pushit")
	held := w.holds()
	cut := func(target string) {
		t.Helper()
		w.write("sim/faults", "on=send cut=2000000\n")
		w.restored(1, "-r", "pushit", "a/x", target)
		w.write("sim/faults", "")
	}
	cut("b/new")
	if held := w.restoring(); !slices.Contains(held, "b/sink/pusher/a/x@s1 zreplctl_restore_sink::b:new") {
		t.Errorf("held is %q", held)
	}
	w.speaks(w.restored(0, "-n", "-r", "pushit", "a/x", "b/new"), "resume\tb/sink/pusher/a/x@s1\tb/new\t")
	w.snapshot("s2")
	w.done("push", "pushit")
	w.restored(0, "-r", "pushit", "a/x", "b/new")
	w.equal("holds", w.restoring())
	w.sameGUID("b/new@s1", "a/x@s1")
	cut("b/two")
	w.speaks(w.restored(0, "-abandon", "-n", "pushit", "b/two"), "b/sink/pusher/a/x@s2\n")
	w.speaks(w.restored(0, "-abandon", "pushit", "b/two"), "b/sink/pusher/a/x@s2\n")
	w.equal("holds", w.restoring())
	cut("b/three")
	w.speaks(w.restored(0, "-abandon", "sink", "b/three"), "nothing is held", "a restore by the job's client is /b/three here")
	h := w.attack("pusher", true)
	w.speaks(w.restored(75, "-abandon", "sink", "/b/three"), "its client is connected", "zreplctl stop")
	w.restored(0, "-abandon", "-n", "sink", "/b/three")
	h.end()
	w.speaks(w.restored(0, "-abandon", "sink", "/b/three"), "b/sink/pusher/a/x@s2\n")
	w.equal("holds", w.restoring())
	if len(w.holds()) != len(held) {
		t.Errorf("%q, then %q", held, w.holds())
	}
}

// An encrypted copy that came as plain text goes back as plain text, if its key
// is loaded at the sink; nothing is held or made if it is not.
func TestRestoreFarPlain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.encrypted("b/sink")
	w.givesBack()
	w.tree()
	w.snapshot("s1")
	w.done("push", "pushit")
	w.restored(0, "-r", "pushit", "a/x", "b/new")
	w.same("b/new", "b/sink/pusher/a/x")
	w.shows("b/new", "encryption", "off default")
	w.must("zfs", "unmount", "b/sink")
	w.must("zfs", "unload-key", "-r", "b/sink")
	before := w.everything()
	w.speaks(w.restored(1, "-r", "pushit", "a/x", "b/two"), "its key is not loaded", "on the sink's host: zfs load-key b/sink\n")
	if after := w.everything(); !slices.Equal(before, after) {
		t.Errorf("something was changed: %q, %q", before, after)
	}
}

// A client that may have its copies back gets nothing else, and holds a bounded
// number of snapshots.
func TestRestoreFarHostile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tree()
	w.must("zfs", "create", "b/sink")
	w.must("zfs", "create", "b/sink/other")
	w.must("zfs", "create", "b/sink/pusher")
	w.snapshot("s1")
	w.done("push", "pushit")
	w.must("zfs", "create", "b/sink/pusher/admins")
	w.must("zfs", "snapshot", "b/sink/other@s1", "b/sink/pusher@s1", "b/sink/pusher/admins@s1")
	snap := func(name string) transfer.Snap {
		ds, _, short := dataset.Split(name)
		g, _ := dataset.ParseGUID(strings.TrimSpace(w.must("zfs", "get", "-Hp", "-o", "value", "guid", name)))
		return transfer.Snap{Dataset: ds, Name: short, GUID: g}
	}
	pin := func(target string, hold ...string) (in transfer.Pins) {
		in.Target = target
		for _, name := range hold {
			in.Hold = append(in.Hold, snap(name))
		}
		return in
	}
	send := func(name string) transfer.SendRequest {
		s := snap(name)
		return transfer.SendRequest{Dataset: s.Dataset, To: dataset.Version{Kind: dataset.Snapshot, Name: s.Name, GUID: s.GUID}, Send: dataset.SendOptions{LargeBlocks: true}}
	}
	mine := "b/sink/pusher/a/x@s1"
	closed := w.attack("pusher", true)
	for call, in := range map[string]any{"copies": transfer.CopiesRequest{Target: "b/new"}, "pin": pin("b/new", mine), "restore": send(mine), "sizes": []transfer.SendRequest{send(mine)}} {
		if err := closed.ask(t.Context(), call, in); err == nil || !strings.Contains(err.Error(), "restore: allow") {
			t.Errorf("%s without permission: %v", call, err)
		}
	}
	closed.end()
	w.givesBack()
	before := w.everything()
	stranger := w.attack("pusher", false)
	if err := stranger.ask(t.Context(), "restore", send(mine)); err == nil {
		t.Error("a stream without hello")
	}
	stranger.end()
	partly := send(mine)
	partly.From = partly.To
	raw := send(mine)
	raw.Send.Raw = true
	wrong := pin("b/new", mine)
	wrong.Hold[0].GUID++
	for what, one := range map[string]struct {
		call string
		in   any
	}{
		"another client's stream":  {"restore", send("b/sink/other@s1")},
		"the root's stream":        {"restore", send("b/sink/pusher@s1")},
		"what the client sends":    {"restore", send("a/x@s1")},
		"an administrator's":       {"restore", send("b/sink/pusher/admins@s1")},
		"an incremental":           {"restore", partly},
		"another kind of stream":   {"restore", raw},
		"another client's hold":    {"pin", pin("b/new", "b/sink/other@s1")},
		"the root's hold":          {"pin", pin("b/new", "b/sink/pusher@s1")},
		"a target that is no name": {"pin", pin("b new@x", mine)},
		"a target with a colon":    {"pin", pin("b:new", mine)},
		"a release elsewhere":      {"pin", transfer.Pins{Target: "b/new", Release: []transfer.Snap{snap("b/sink/other@s1")}}},
		"no snapshot's name":       {"pin", transfer.Pins{Target: "b/new", Release: []transfer.Snap{{Dataset: "b/sink/pusher/a/x", Name: "s1@s1"}}}},
		"targets of nobody":        {"copies", transfer.CopiesRequest{Target: "../x"}},
	} {
		h := w.attack("pusher", true)
		if err := h.ask(t.Context(), one.call, one.in); err == nil {
			t.Errorf("%s is not refused", what)
		} else {
			t.Logf("%s: %v", what, err)
		}
		h.end()
	}
	h := w.attack("pusher", true)
	defer h.end()
	problems := transfer.Problems{}
	if err := h.Call(t.Context(), "pin", wrong, &problems); err != nil || len(problems) != 1 {
		t.Errorf("another guid: %v, %v", err, problems)
	}
	if after := w.everything(); !slices.Equal(before, after) {
		t.Errorf("something was changed: %q, %q", before, after)
	}
	var list iter.Seq2[transfer.Dataset, error]
	if err := h.Call(t.Context(), "copies", transfer.CopiesRequest{Target: "b/new"}, &list); err != nil {
		t.Fatal(err)
	}
	for d := range list {
		if !strings.HasPrefix(d.Name, "b/sink/pusher/") {
			t.Errorf("%q is listed", d.Name)
		}
	}
	for _, n := range strings.Fields("1 2 3 4 5 6 7 8") {
		if err := h.ask(t.Context(), "pin", pin("b/new"+n, mine)); err != nil {
			t.Errorf("restore %s: %v", n, err)
		}
	}
	if err := h.ask(t.Context(), "pin", pin("b/new9", mine)); err == nil || !strings.Contains(err.Error(), "restores are unfinished") || !strings.Contains(err.Error(), `they are to "b/new1", "b/new2",`) {
		t.Errorf("one restore too many: %v", err)
	}
	if err := h.ask(t.Context(), "pin", pin("b/new8", mine)); err != nil {
		t.Errorf("one that goes on: %v", err)
	}
	w.must("zfs", "snapshot", "b/sink/pusher/a/x@s9")
	if err := h.ask(t.Context(), "pin", pin("b/new1", "b/sink/pusher/a/x@s9")); err == nil || !strings.Contains(err.Error(), "needs no other") {
		t.Errorf("a second snapshot: %v", err)
	}
	if n := len(w.restoring()); n != 8 {
		t.Errorf("%d holds of restores", n)
	}
}

// Connections of a client that ask at once hold no more than one by one. A
// restore that has begun goes on, however many there are.
func TestRestoreFarAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.givesBack()
	w.tree()
	w.snapshot("s1")
	w.done("push", "pushit")
	g, _ := dataset.ParseGUID(strings.TrimSpace(w.must("zfs", "get", "-Hp", "-o", "value", "guid", "b/sink/pusher/a/x@s1")))
	pins := func(target string) transfer.Pins {
		return transfer.Pins{Target: target, Hold: []transfer.Snap{{Dataset: "b/sink/pusher/a/x", Name: "s1", GUID: g}}}
	}
	var all sync.WaitGroup
	var connections []*hostile
	for n := range 10 { // as many as a client may have
		h := w.attack("pusher", true)
		connections = append(connections, h)
		all.Go(func() { _ = h.ask(t.Context(), "pin", pins(fmt.Sprintf("b/new%d", n))) })
	}
	all.Wait()
	for _, h := range connections {
		h.end()
	}
	if n := len(w.restoring()); n != 8 {
		t.Errorf("%d restores hold", n)
	}
	for n := range 4 { // as an older version has let them
		w.must("zfs", "hold", fmt.Sprintf("zreplctl_restore_sink::b:old%d", n), "b/sink/pusher/a/x@s1")
	}
	h := w.attack("pusher", true)
	defer h.end()
	if err := h.ask(t.Context(), "pin", pins("b/old1")); err != nil {
		t.Errorf("one that goes on: %v", err)
	}
}

// A restore of a client that nobody has finished for a month is named by check at
// the sink, with what releases its holds there.
func TestRestoreFarForgotten(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tree()
	w.snapshot("s1")
	w.done("push", "pushit")
	c := w.command("zfs", "hold", "zreplctl_restore_sink::tank:new", "b/sink/pusher/a/x@s1")
	c.Env = append(c.Environ(), "ZFS_SIM_NOW=1577836800")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	_, said := w.ctl("check")
	w.speaks(said, `job "sink": the client's restore to "tank/new" has held 1 snapshot for more than 30 days: finish it, or zreplctl restore -abandon sink /tank/new releases what it holds`)
	w.restored(1, "sink", "a/x", "/tank/new")
	w.restored(0, "-abandon", "sink", "/tank/new")
	w.equal("holds", w.restoring())
}
