package job_test

import (
	"context"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
	drr "github.com/zrepl-tools/zrepl-tools/lib/zfssim/forge"
)

func (w *world) snapOf(name string) transfer.Snap {
	w.t.Helper()
	ds, _, short := dataset.Split(name)
	guid, err := dataset.ParseGUID(strings.TrimSpace(w.must("zfs", "get", "-Hp", "-o", "value", "guid", name)))
	if err != nil {
		w.t.Fatal(err)
	}
	return transfer.Snap{Dataset: ds, Name: short, GUID: guid}
}

// begins changes the first record of a stream.
func begins(t *testing.T, stream []byte, change func(b *drr.Record)) []byte {
	t.Helper()
	s, err := drr.Parse(stream)
	if err != nil {
		t.Fatal(err)
	}
	change(s.Begins()[0])
	return s.Bytes()
}

// pushed sends a stream to the sink as its client.
func (w *world) pushed(in transfer.ReceiveRequest, stream []byte) error {
	h := w.attack("pusher", true)
	defer h.end()
	return h.CallSend(w.t.Context(), "receive", in, func(_ context.Context, out *os.File) error { return framed(out, stream) }, new(transfer.Received))
}

// TestHostileClones: a client makes clones of nothing but its own copies, and only
// where the sink takes clones. What it is refused leaves nothing, and pins nothing.
func TestHostileClones(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.cloneJobs("hold", "share")
	w.must("zfs", "create", "-p", "a/x/origin")
	w.must("zfs", "snapshot", "-r", "a/x@s1")
	w.must("zfs", "create", "-p", "b/sink")
	w.done("push", "pushit")
	w.must("zfs", "clone", "a/x/origin@s1", "a/x/clone")
	w.fill("a/x/clone", 100000)
	w.must("zfs", "snapshot", "a/x/clone@s2")
	for _, name := range []string{"b/foreign", "b/sink/own"} {
		w.must("zfs", "create", name)
		w.must("zfs", "snapshot", name+"@dear")
	}
	// The guid of what the client has is in the pool elsewhere, too.
	w.must("sh", "-c", w.zfsCommand()+" send b/sink/a/x/origin@s1 | "+w.zfsCommand()+" receive -u b/twin")
	stream := []byte(w.must("zfs", "send", "-i", "a/x/origin@s1", "a/x/clone@s2"))
	origin, made := w.snapOf("b/sink/a/x/origin@s1"), w.snapOf("a/x/clone@s2")
	foreign, own, twin := w.snapOf("b/foreign@dear"), w.snapOf("b/sink/own@dear"), w.snapOf("b/twin@s1")
	const target = "b/sink/a/x/clone"
	type request = transfer.ReceiveRequest
	honest := request{Dataset: target, From: origin.GUID, To: made.GUID, Name: made.Name, Origin: origin}
	from := func(guid dataset.GUID) []byte {
		return begins(t, stream, func(b *drr.Record) { b.Set(drr.FromGUID, uint64(guid)) })
	}
	picture := func() []string { return w.lines("zfs", "list", "-rHp", "-t", "all", "-o", "name,guid,origin", "b") }
	before := picture()
	of := func(s transfer.Snap) func(in *request) {
		return func(in *request) { in.Origin, in.From = s, s.GUID }
	}
	for _, c := range []struct {
		name   string
		change func(in *request)
		stream []byte
		says   string
	}{
		{"of a foreign dataset", of(foreign), from(foreign.GUID), "not offered here"},
		{"of the same guid elsewhere", of(twin), stream, "not offered here"},
		{"of what is no copy", of(own), from(own.GUID), "not a copy"},
		{"of the root", func(in *request) { in.Origin.Dataset = "b/sink" }, stream, "is the root itself"},
		{"without its origin", func(in *request) { in.Origin = transfer.Snap{} }, stream, "would make a clone"},
		{"of a foreign guid, unsaid", func(in *request) { in.Origin, in.From = transfer.Snap{}, foreign.GUID }, from(foreign.GUID), "would make a clone"},
		{"with a foreign guid", nil, from(foreign.GUID), "it is from guid"},
		{"with a foreign guid in both", func(in *request) { in.From, in.Origin.GUID = foreign.GUID, foreign.GUID }, from(foreign.GUID), "no snapshot"},
		{"with another guid asked for", func(in *request) { in.From = foreign.GUID }, from(foreign.GUID), "cannot be one"},
		{"without a guid", func(in *request) { in.From, in.Origin.GUID = 0, 0 }, from(0), "from=GUID is missing"},
		{"without the flag", nil, begins(t, stream, func(b *drr.Record) { b.Set(drr.Flags, b.Get(drr.Flags)&^1) }), "would not make a clone"},
		{"a full stream", nil, []byte(w.must("zfs", "send", "a/x/clone@s2")), "it is from guid"},
		{"of itself", func(in *request) { in.Origin.Dataset = target }, stream, "cannot be one"},
		{"of a snapshot that is not there", func(in *request) { in.Origin.Name = "s9" }, stream, "no snapshot"},
		{"of a dataset that is not there", func(in *request) { in.Origin.Dataset = "b/sink/a/none" }, stream, "no snapshot"},
		{"an illegal snapshot", func(in *request) { in.Origin.Name = "s1,b/foreign@dear" }, stream, "bad snapshot name"},
		{"an illegal dataset", func(in *request) { in.Origin.Dataset = "b/sink/../foreign" }, stream, "bad dataset name"},
		{"a flag", func(in *request) { in.Origin.Dataset = "-F" }, stream, "bad dataset name"},
		{"over a placeholder", func(in *request) { in.Over = true }, stream, "cannot be one"},
		{"raw", func(in *request) { in.Send.Raw = true }, stream, "cannot be one"},
		{"with others", func(in *request) { in.Via = []transfer.Brought{{Name: "s0", GUID: 7}} }, stream, "brings one snapshot"},
		{"outside", func(in *request) { in.Dataset = "b/evil" }, stream, "not offered here"},
	} {
		in := honest
		if c.change != nil {
			c.change(&in)
		}
		if err := w.pushed(in, c.stream); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.name, err)
		}
		if after := picture(); !slices.Equal(before, after) {
			t.Errorf("%s: %q", c.name, after)
			before = after
		}
	}
	w.cloneJobs("hold", "full")
	if err := w.pushed(honest, stream); err == nil || !strings.Contains(err.Error(), "takes no clones") {
		t.Errorf("a sink that takes none: %v", err)
	}
	w.cloneJobs("hold", "share")
	if err := w.pushed(honest, stream); err != nil {
		t.Error(err)
	}
	w.isCloneOf(target, "b/sink/a/x/origin@s1")
	w.must("zfs", "destroy", "b/foreign@dear") // nothing pins it
}

// TestHostileCloneRequests: a source sends clones of its own datasets alone, and says
// nothing of an origin that is not the client's to know.
func TestHostileCloneRequests(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.cloneJobs("hold", "share")
	w.must("zfs", "create", "-p", "a/x/origin")
	w.must("zfs", "create", "a/secret")
	w.must("zfs", "snapshot", "-r", "a@s1")
	w.must("zfs", "clone", "a/secret@s1", "a/x/clone")
	w.must("zfs", "clone", "a/x/origin@s1", "a/x/other")
	w.must("zfs", "snapshot", "-r", "a@s2")
	to, from := w.snapOf("a/x/clone@s2"), w.snapOf("a/secret@s1")
	version := func(s transfer.Snap) dataset.Version {
		return dataset.Version{Kind: dataset.Snapshot, Name: s.Name, GUID: s.GUID}
	}
	honest := transfer.SendRequest{Dataset: "a/x/clone", Origin: "a/secret", From: version(from), To: version(to), Send: dataset.SendOptions{LargeBlocks: true}}
	for name, c := range map[string]struct {
		change func(in *transfer.SendRequest)
		says   string
	}{
		"of a secret":      {func(*transfer.SendRequest) {}, "not offered here"},
		"of itself":        {func(in *transfer.SendRequest) { in.Origin = in.Dataset }, "does not start from"},
		"of a flag":        {func(in *transfer.SendRequest) { in.Origin = "-R" }, "bad dataset name"},
		"from a bookmark":  {func(in *transfer.SendRequest) { in.Origin, in.From.Kind = "a/x/origin", dataset.Bookmark }, "does not start from"},
		"with no guid":     {func(in *transfer.SendRequest) { in.Origin, in.From.GUID = "a/x/origin", 0 }, "does not start from"},
		"with an odd name": {func(in *transfer.SendRequest) { in.Origin, in.From.Name = "a/x/origin", "s1 a/secret@s1" }, "snapshot"},
		"with others": {func(in *transfer.SendRequest) {
			in.Origin, in.Via = "a/x/origin", []transfer.Brought{{Name: "s0", GUID: 7}}
		}, "does not start from"},
		"of what is no clone": {func(in *transfer.SendRequest) {
			in.Origin, in.From = "a/x/origin", version(w.snapOf("a/x/origin@s1"))
		}, ""},
	} {
		in := honest
		c.change(&in)
		h := w.attack("me", true)
		err := h.ask(t.Context(), "send", in)
		h.end()
		if c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if code, plan := w.ctl("plan", "fetch"); code != 0 || !strings.Contains(plan, "full\ta/x/clone") || strings.Contains(plan, "secret") || strings.Count(plan, "\nclone\t") != 1 {
		t.Errorf("exit status %d: %s", code, plan)
	}
	w.done("pull", "fetch")
	w.isCloneOf("b/fetch/x/other", "b/fetch/x/origin@s1")
	w.isCloneOf("b/fetch/x/clone", "-")
}

// zfsCommand is zfs for a shell.
func (w *world) zfsCommand() string { return strconv.Quote(w.command("zfs").Path) }
