package endpoint

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/child"
	"github.com/zrepl-tools/zrepl-tools/lib/cursor"
	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/rpc"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
	"github.com/zrepl-tools/zrepl-tools/lib/zfssim/simhost"
)

// within offers a dataset and all below it.
type within string

func (w within) Pass(name string) bool     { return dataset.Within(name, string(w)) }
func (w within) Roots() ([]string, bool)   { return []string{string(w)}, false }
func (w within) target(name string) string { return "b/back/" + name }

// ends is a host with a sender of a/x and all below it, and a receiver below
// b/back.
type ends struct {
	*simhost.Host
	t *testing.T
	s *Sender
	r *Receiver
}

func newEnds(t *testing.T) *ends {
	t.Parallel()
	h := simhost.New(t, simulator, "a", "b", "a/x", "a/x/y", "a/secret")
	z := &zfs.ZFS{Path: h.ZFS("")}
	e := &ends{Host: h, t: t,
		s: &Sender{ZFS: z, Datasets: within("a/x"), Tag: cursor.Tag("source", "me"), Options: dataset.SendOptions{LargeBlocks: true}},
		r: &Receiver{ZFS: z, Tag: cursor.LastTag("j"), Roots: []string{"b/back"}, RecvFrame: []string{simulator + "/zrecv-frame"},
			Map: func(name string) (string, bool) { return within("").target(name), within("a/x").Pass(name) }}}
	return e
}

// remote are the same ends at the other end of connections.
func (e *ends) remote() (RemoteSender, RemoteReceiver) {
	frame := []string{simulator + "/zsend-frame", "-checksum", "none"}
	source, sink := &rpc.Server{}, &rpc.Server{}
	ServeSender(source, &Service{Client: "me"}, e.s, frame)
	ServeReceiver(sink, &Service{Client: "me"}, e.r)
	return RemoteSender{e.pool(source, SourceRole)}, RemoteReceiver{Pool: e.pool(sink, SinkRole), SendFrame: frame}
}

func (e *ends) pool(server *rpc.Server, role string) *Pool {
	p := &Pool{Role: role, Run: "r1", Job: "j", Dial: func(ctx context.Context) (*Link, error) {
		theirs, request, err := child.Pipe()
		if err != nil {
			return nil, err
		}
		reply, ours, err := child.Pipe()
		if err != nil {
			return nil, err
		}
		go func() {
			server.Serve(e.t.Context(), theirs, ours)
			theirs.Close()
			ours.Close()
		}()
		conn, err := rpc.NewConn(reply, request)
		return &Link{Client: conn, Explain: func(err error) error { conn.Close(); return err }}, err
	}}
	e.t.Cleanup(p.Close)
	return p
}

// version is a snapshot or a bookmark of the simulated host.
func (e *ends) version(full string) dataset.Version {
	e.t.Helper()
	ds, kind, short := dataset.Split(full)
	list := e.Must("zfs", "list", "-Hp", "-d", "1", "-t", "snapshot,bookmark", "-o", "name,guid,createtxg", ds)
	for line := range strings.Lines(list) {
		f := strings.Split(strings.TrimSpace(line), "\t")
		if f[0] == full {
			v := dataset.Version{Kind: kind, Name: short}
			fmt.Sscan(f[1], (*uint64)(&v.GUID))
			fmt.Sscan(f[2], &v.CreateTXG)
			return v
		}
	}
	e.t.Fatalf("there is no %s", full)
	return dataset.Version{}
}

func (e *ends) snap(full string) transfer.Snap {
	ds, _, short := dataset.Split(full)
	return transfer.Snap{Dataset: ds, Name: short, GUID: e.version(full).GUID}
}

// request asks for the stream to a snapshot of a/x…, and for its receiving.
func (e *ends) request(from, to string, via ...string) (transfer.SendRequest, transfer.ReceiveRequest) {
	ds, _, _ := dataset.Split(to)
	in := transfer.SendRequest{Dataset: ds, To: e.version(to), Send: dataset.SendOptions{LargeBlocks: true}}
	if from != "" {
		in.From = e.version(from)
	}
	for _, v := range via {
		in.Via = append(in.Via, transfer.Brought{Name: e.version(v).Name, GUID: e.version(v).GUID})
	}
	return in, transfer.ReceiveRequest{Dataset: within("").target(ds), From: in.From.GUID, To: in.To.GUID, Name: in.To.Name, Via: in.Via, Send: in.Send}
}

// both are a sender and a receiver that a stream joins.
type both struct {
	send    func(context.Context, transfer.SendRequest) (*transfer.Stream, error)
	receive func(context.Context, transfer.ReceiveRequest, *transfer.Stream, func(uint64)) (transfer.Received, error)
	protect [2]func(context.Context, transfer.Holds) (transfer.Problems, error)
}

func (e *ends) ways() map[string]both {
	s, r := e.remote()
	return map[string]both{
		"local": {e.s.Send, e.r.Receive, [2]func(context.Context, transfer.Holds) (transfer.Problems, error){e.s.Protect, e.r.Protect}},
		"pull":  {s.Send, e.r.Receive, [2]func(context.Context, transfer.Holds) (transfer.Problems, error){s.Protect, e.r.Protect}},
		"push":  {e.s.Send, r.Receive, [2]func(context.Context, transfer.Holds) (transfer.Problems, error){e.s.Protect, r.Protect}},
	}
}

func (e *ends) move(w both, in transfer.SendRequest, out transfer.ReceiveRequest) (transfer.Received, error) {
	e.t.Helper()
	stream, err := w.send(e.t.Context(), in)
	if err != nil {
		return transfer.Received{}, err
	}
	return w.receive(e.t.Context(), out, stream, nil)
}

func (e *ends) moved(w both, from, to string, via ...string) {
	e.t.Helper()
	in, out := e.request(from, to, via...)
	if got, err := e.move(w, in, out); err != nil || got.Unset != "" {
		e.t.Fatalf("%s to %s: %+v, %v", from, to, got, err)
	}
	if e.version(out.Dataset+"@"+out.Name).GUID != out.To {
		e.t.Fatalf("%s has another guid", to)
	}
}

// fill makes a/x@s1 to @s4, and the placeholders that its copy needs.
func (e *ends) fill() {
	e.t.Helper()
	for i := range 4 {
		e.Fill("a/x", 70_000)
		e.Must("zfs", "snapshot", "-r", fmt.Sprintf("a/x@s%d", i+1))
	}
	for _, name := range []string{"b/back", "b/back/a"} {
		if err := e.r.Placeholder(e.t.Context(), transfer.Placeholder{Dataset: name}); err != nil {
			e.t.Fatal(err)
		}
	}
}

// all is what there is on the host, to be compared.
func (e *ends) all() string {
	e.t.Helper()
	return e.Must("zfs", "list", "-Hp", "-t", "all", "-o", "name,guid,userrefs") + e.Must("zfs", "get", "-Hpr", "-s", "local", "-o", "name,property,value", "all")
}

// A dataset goes from one end to the other in each of the three ways, in full,
// by one increment and by a chain, and is held on both sides.
func TestWays(t *testing.T) {
	for _, name := range []string{"local", "pull", "push"} {
		t.Run(name, func(t *testing.T) {
			e := newEnds(t)
			e.fill()
			w := e.ways()[name]
			e.moved(w, "", "a/x@s1")
			if got := e.Must("zfs", "get", "-H", "-o", "value", "readonly,canmount,zreplctl:send", "b/back/a/x"); got != "on\nnoauto\nL\n" {
				t.Errorf("the copy is not inert, or has no note: %q", got)
			}
			e.moved(w, "a/x@s1", "a/x@s2")
			e.moved(w, "a/x@s2", "a/x@s4", "a/x@s3")
			hold := func(end int, in transfer.Holds) {
				if bad, err := w.protect[end](t.Context(), in); err != nil || len(bad) > 0 {
					t.Errorf("%v, %v", bad, err)
				}
			}
			hold(0, transfer.Holds{Hold: []transfer.Snap{e.snap("a/x@s2")}})
			hold(0, transfer.Holds{Hold: []transfer.Snap{e.snap("a/x@s4")}, Release: []transfer.Snap{e.snap("a/x@s2")}})
			hold(1, transfer.Holds{Hold: []transfer.Snap{e.snap("b/back/a/x@s4")}, Confirm: true})
			if got := e.Must("zfs", "holds", "-H", "a/x@s2", "a/x@s4", "b/back/a/x@s4"); strings.Count(got, "\n") != 2 ||
				!strings.Contains(got, "a/x@s4\tzreplctl_source_me\t") || !strings.Contains(got, "b/back/a/x@s4\tzreplctl_last_j\t") {
				t.Errorf("holds: %q", got)
			}
		})
	}
}

// The other questions have the same answers from both ends of a connection.
func TestQuestions(t *testing.T) {
	e := newEnds(t)
	e.fill()
	e.moved(e.ways()["local"], "", "a/x@s1")
	e.Fill("a/x", 5000)
	e.Must("zfs", "hold", e.s.Tag, "a/x@s2")
	e.Must("zfs", "hold", "other", "a/x@s3")
	e.Must("zfs", "hold", e.r.Tag, "b/back/a/x@s1")
	e.Must("zfs", "destroy", "-d", "a/x@s3")
	ctx := t.Context()
	s, r := e.remote()
	shared := []transfer.Snap{e.snap("a/x@s2"), e.snap("a/x@s3"), {Dataset: "a/x", Name: "none", GUID: 1}}
	for name, end := range map[string]interface {
		Held(context.Context, []transfer.Snap) ([]transfer.Snap, error)
		Deferred(context.Context, []transfer.Snap) ([]transfer.Snap, error)
		Size(context.Context, transfer.SendRequest) (uint64, error)
		Uses(context.Context, transfer.UsesRequest) (map[string]transfer.Uses, error)
	}{"here": e.s, "there": s} {
		if got, err := end.Held(ctx, shared); err != nil || len(got) != 1 || got[0].Name != "s2" {
			t.Errorf("%s: held %v, %v", name, got, err)
		}
		if got, err := end.Deferred(ctx, shared); err != nil || len(got) != 2 || got[0].Name != "s3" || got[1].Name != "none" {
			t.Errorf("%s: deferred %v, %v", name, got, err)
		}
		in, _ := e.request("a/x@s1", "a/x@s2")
		if n, err := end.Size(ctx, in); err != nil || n < 60_000 || n > 200_000 {
			t.Errorf("%s: %d bytes, %v", name, n, err)
		}
		if got, err := end.Uses(ctx, transfer.UsesRequest{Datasets: []string{"a/x"}, Features: []string{"encryption", "extensible_dataset"}}); err != nil || !slices.Equal(got["a/x"].Surely, []string{"extensible_dataset"}) {
			t.Errorf("%s: uses %v, %v", name, got, err)
		}
	}
	copies := []transfer.Snap{e.snap("b/back/a/x@s1")}
	for name, end := range map[string]interface {
		Held(context.Context, []transfer.Snap) ([]transfer.Snap, error)
		Since(context.Context, []transfer.Snap) (map[string]uint64, error)
		Targets(context.Context, []string) (map[string]string, error)
		Takes(context.Context, struct{}) (transfer.Takes, error)
	}{"here": e.r, "there": r} {
		if got, err := end.Held(ctx, copies); err != nil || len(got) != 1 {
			t.Errorf("%s: held %v, %v", name, got, err)
		}
		if got, err := end.Since(ctx, copies); err != nil || len(got) != 1 || got["b/back/a/x"] != 0 {
			t.Errorf("%s: since %v, %v", name, got, err)
		}
		if got, err := end.Targets(ctx, []string{"a/x/y", "a/secret"}); err != nil || len(got) != 1 || got["a/x/y"] != "b/back/a/x/y" {
			t.Errorf("%s: targets %v, %v", name, got, err)
		}
		if got, err := end.Takes(ctx, struct{}{}); err != nil || got.Properties {
			t.Errorf("%s: takes %v, %v", name, got, err)
		}
	}
	for name, list := range map[string]func(context.Context, transfer.ListRequest) ([]transfer.Dataset, error){"here": e.r.List, "there": r.List} {
		got, err := list(ctx, transfer.ListRequest{Thorough: true})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, d := range got {
			if d.Name == "b/back/a/x" && (len(d.Held) != 1 || !d.Held.Has("s1") || !d.Copy || d.Recorded != "L" || d.Placeholder) || d.Name == "b/back/a" && !d.Placeholder {
				t.Errorf("%s: %+v", name, d)
			}
		}
	}
}

// A zfs that hangs is ended after the stall time, by whoever watches, and the
// link is said to be at fault.
func TestStall(t *testing.T) {
	for name, rule := range map[string]string{"send": "on=send from=1 hang", "receive": "on=receive from=1 hang"} {
		t.Run(name, func(t *testing.T) {
			e := newEnds(t)
			e.fill()
			e.s.Stall, e.r.Stall = time.Second, time.Second
			for way, w := range e.ways() {
				e.Faults(rule)
				in, out := e.request("", "a/x@s1")
				_, err := e.move(w, in, out)
				// Of a push, the sink may be the first to notice, and says so in words.
				if !errors.As(err, new(*transfer.LinkError)) && (way != "push" || err == nil || !strings.Contains(err.Error(), "nothing of it moved for 1s")) {
					t.Errorf("%s: %v", way, err)
				}
			}
			if got := e.Must("zfs", "list", "-H", "-o", "name", "-r", "b/back"); got != "b/back\nb/back/a\n" {
				t.Errorf("there is %q", got)
			}
		})
	}
}
