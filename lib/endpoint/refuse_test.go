package endpoint

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/cursor"
	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/fault"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// began counts the commands with one of these subcommands since the last call.
func (e *ends) began(subcommands ...string) (n int) {
	for _, c := range e.Commands() {
		for _, s := range subcommands {
			if strings.Contains(" "+c+" ", " "+s+" ") {
				n++
			}
		}
	}
	return n
}

// A client that asks for more than the job offers gets an error, and zfs send
// is not run.
func TestSenderRefuses(t *testing.T) {
	e := newEnds(t)
	e.fill()
	e.Must("zfs", "snapshot", "a/secret@s1")
	e.Must("zfs", "bookmark", "a/x@s1", "a/x#mark")
	good, _ := e.request("a/x@s1", "a/x@s2")
	ctx := t.Context()
	for name, change := range map[string]func(*transfer.SendRequest){
		"another dataset":       func(in *transfer.SendRequest) { in.Dataset = "a/secret" },
		"the one above":         func(in *transfer.SendRequest) { in.Dataset = "a" },
		"a flag":                func(in *transfer.SendRequest) { in.Dataset = "-R" },
		"a path":                func(in *transfer.SendRequest) { in.Dataset = "a/x/../secret" },
		"no guid":               func(in *transfer.SendRequest) { in.To.GUID = 0 },
		"no guid to begin with": func(in *transfer.SendRequest) { in.From.GUID = 0 },
		"to a bookmark":         func(in *transfer.SendRequest) { in.To = e.version("a/x#mark") },
		"a chain from one": func(in *transfer.SendRequest) {
			in.From = e.version("a/x#mark")
			in.Via = []transfer.Brought{{Name: "s3", GUID: 3}}
		},
		"a chain from nothing": func(in *transfer.SendRequest) {
			in.From = dataset.Version{}
			in.Via = []transfer.Brought{{Name: "s3", GUID: 3}}
		},
		"a name with a flag":  func(in *transfer.SendRequest) { in.To.Name = "s2 -R" + "\n" },
		"an empty name":       func(in *transfer.SendRequest) { in.To.Name = "" },
		"embedded":            func(in *transfer.SendRequest) { in.Send.Embedded = true },
		"raw":                 func(in *transfer.SendRequest) { in.Send.Raw = true },
		"garbage for a token": func(in *transfer.SendRequest) { in.Token = "1-0-0-00" },
		"a way to compress":   func(in *transfer.SendRequest) { in.Compress = "zstd" }, // which is not offered
		"one guid twice":      func(in *transfer.SendRequest) { in.Via = []transfer.Brought{{Name: "s3", GUID: in.To.GUID}} },
	} {
		in := good
		change(&in)
		e.Commands()
		if stream, err := e.s.Send(ctx, in); err == nil {
			t.Errorf("%s: sent by %q", name, stream.Args)
		}
		if _, err := e.s.Size(ctx, in); err == nil {
			t.Errorf("%s: has a size", name)
		}
		if n := e.began("send"); n > 0 {
			t.Errorf("%s: zfs send was run", name)
		}
	}
	before := e.all()
	other := transfer.Snap{Dataset: "a/secret", Name: "s1", GUID: e.snap("a/secret@s1").GUID}
	for name, in := range map[string]transfer.Holds{
		"hold":        {Hold: []transfer.Snap{other}},
		"release":     {Release: []transfer.Snap{e.snap("a/x@s1"), other}},
		"past":        {Past: []transfer.Snap{other}},
		"bookmark":    {Bookmark: []transfer.Snap{other}},
		"forget":      {Forget: []transfer.Snap{{Dataset: "a/x", Name: "mark"}}},
		"another's":   {Forget: []transfer.Snap{{Dataset: "a/x", Name: cursor.Bookmark(cursor.Tag("source", "you"), 1)}}},
		"unmark":      {Unmark: []string{"a/x"}},
		"a bad name":  {Hold: []transfer.Snap{{Dataset: "a/x", Name: "-r", GUID: 1}}},
		"a recursion": {Hold: []transfer.Snap{{Dataset: "-r", Name: "s1", GUID: 1}}},
	} {
		if bad, err := e.s.Protect(ctx, in); err == nil && len(bad) == 0 {
			t.Errorf("protect, %s: done", name)
		}
	}
	if _, err := e.s.List(ctx, transfer.ListRequest{Datasets: []string{"a/secret"}}); !errors.Is(err, errNotOffered) {
		t.Errorf("listed: %v", err)
	}
	_, held := e.s.Held(ctx, []transfer.Snap{other})
	_, deferred := e.s.Deferred(ctx, []transfer.Snap{other})
	_, used := e.s.Uses(ctx, transfer.UsesRequest{Datasets: []string{"a/secret"}, Features: streamFeatures})
	for _, err := range []error{held, deferred, used} {
		if !errors.Is(err, errNotOffered) {
			t.Errorf("answered: %v", err)
		}
	}
	if after := e.all(); after != before {
		t.Errorf("something was changed:\n%s\n%s", before, after)
	}
}

// everywhere is what the rules of a job allow that could allow more.
type everywhere struct{}

func (everywhere) Pass(string) bool        { return true }
func (everywhere) Roots() ([]string, bool) { return nil, true }

// TestListMissing: where a property chooses among what the rules allow, it is told that
// a dataset does not exist. Of one that does nothing is said, also if it is a pool, and
// of a pool that is not imported neither.
func TestListMissing(t *testing.T) {
	e := newEnds(t)
	e.fill()
	list := func(names ...string) string {
		there, err := e.s.List(t.Context(), transfer.ListRequest{Datasets: names, Fresh: true})
		if err != nil {
			return err.Error()
		}
		text := "listed"
		for _, d := range there {
			text += " " + d.Name
		}
		return text
	}
	if got := list("a/gone"); !strings.Contains(got, "not offered here") {
		t.Errorf("without such a property: %s", got)
	}
	e.s.Rules = everywhere{}
	for _, c := range []struct {
		names []string
		want  string
	}{
		{[]string{"a/gone"}, "listed"},
		{[]string{"a/gone", "a/x/y", "b/gone"}, "listed a/x/y"},
		{[]string{"a/gone", "a/secret"}, `dataset "a/secret": not offered here`},
		{[]string{"a"}, `dataset "a": not offered here`},
		{[]string{"a/gone", "a"}, `dataset "a": not offered here`},
		{[]string{"c/gone"}, `pool "c" is not imported`},
		{[]string{"c"}, `pool "c" is not imported`},
	} {
		if got := list(c.names...); got != c.want {
			t.Errorf("%q: %s", c.names, got)
		}
	}
	e.s.Rules = within("a/gone")
	if got := list("b/gone"); !strings.Contains(got, "not offered here") {
		t.Errorf("beyond the rules: %s", got)
	}
}

// A client that pushes changes nothing beyond its root, and nothing that it
// finds below it.
func TestReceiverRefuses(t *testing.T) {
	e := newEnds(t)
	e.fill()
	e.moved(e.ways()["local"], "", "a/x@s1")
	e.Must("zfs", "create", "b/back/mine")
	e.Must("zfs", "create", "b/other")
	before := e.all()
	_, good := e.request("", "a/x/y@s1")
	ctx := t.Context()
	_, sink := e.remote()
	for name, change := range map[string]func(*transfer.ReceiveRequest){
		"another's root":        func(in *transfer.ReceiveRequest) { in.Dataset = "b/other/x" },
		"above":                 func(in *transfer.ReceiveRequest) { in.Dataset = "b" },
		"a name like the root":  func(in *transfer.ReceiveRequest) { in.Dataset = "b/backup" },
		"a path":                func(in *transfer.ReceiveRequest) { in.Dataset = "b/back/../other" },
		"a flag":                func(in *transfer.ReceiveRequest) { in.Dataset = "-F" },
		"over a dataset":        func(in *transfer.ReceiveRequest) { in.Dataset, in.Over = "b/back/mine", true },
		"over a copy":           func(in *transfer.ReceiveRequest) { in.Dataset, in.Over = "b/back/a/x", true },
		"over, by an increment": func(in *transfer.ReceiveRequest) { in.Dataset, in.Over, in.From = "b/back/a", true, 7 },
		"over nothing":          func(in *transfer.ReceiveRequest) { in.Over = true },
		"no guid":               func(in *transfer.ReceiveRequest) { in.To = 0 },
		"an illegal name":       func(in *transfer.ReceiveRequest) { in.Name = "s1@x" },
		"one too long":          func(in *transfer.ReceiveRequest) { in.Name = strings.Repeat("s", 250) },
		"an illegal one before": func(in *transfer.ReceiveRequest) { in.From, in.Via = 5, []transfer.Brought{{Name: "%", GUID: 6}} },
		"a property's value":    func(in *transfer.ReceiveRequest) { in.Told.Set = map[string]string{"user:x": "a\nb"} },
		"too many properties": func(in *transfer.ReceiveRequest) {
			in.Told.Set = map[string]string{"user:x": strings.Repeat("x", 40_000)}
		},
	} {
		in := good
		change(&in)
		e.Commands()
		for where, receive := range map[string]func(context.Context, transfer.ReceiveRequest, *transfer.Stream, func(uint64)) (transfer.Received, error){"here": e.r.Receive, "there": sink.Receive} {
			stream, err := e.s.Send(ctx, mustRequest(e))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := receive(ctx, in, stream, nil); err == nil {
				t.Errorf("%s, %s: received", name, where)
			}
		}
		if n := e.began("receive"); n > 0 {
			t.Errorf("%s: zfs receive was run", name)
		}
	}
	copied := e.snap("b/back/a/x@s1")
	for name, err := range map[string]error{
		"abort":             e.r.Abort(ctx, transfer.Name{Dataset: "b/other"}),
		"abort of nothing":  e.r.Abort(ctx, transfer.Name{Dataset: "b/back/mine"}),
		"placeholder":       e.r.Placeholder(ctx, transfer.Placeholder{Dataset: "b/other/x"}),
		"a plain one":       e.r.Placeholder(ctx, transfer.Placeholder{Dataset: "b/back/-r/x", Plain: true}),
		"held":              second(e.r.Held(ctx, []transfer.Snap{{Dataset: "b/other", Name: "x"}})),
		"since":             second(e.r.Since(ctx, []transfer.Snap{{Dataset: "b/other", Name: "x"}})),
		"apply":             second(e.r.Apply(ctx, []transfer.Settings{{Dataset: "b/other"}})),
		"apply to too many": second(e.r.Apply(ctx, make([]transfer.Settings, maxApply+1))),
		"hold":              second(e.r.Protect(ctx, transfer.Holds{Hold: []transfer.Snap{{Dataset: "b/other", Name: "s", GUID: 1}}})),
		"unmark":            second(e.r.Protect(ctx, transfer.Holds{Unmark: []string{"b/other"}})),
		"bookmark":          second(e.r.Protect(ctx, transfer.Holds{Bookmark: []transfer.Snap{copied}})),
		"targets":           second(e.r.Targets(ctx, []string{"-r"})),
	} {
		if err == nil {
			t.Errorf("%s: done", name)
		}
	}
	if bad, err := e.r.Protect(ctx, transfer.Holds{Hold: []transfer.Snap{{Dataset: copied.Dataset, Name: copied.Name, GUID: 1}}, Confirm: true}); err != nil || len(bad) != 1 {
		t.Errorf("a snapshot with another guid is held: %v, %v", bad, err)
	}
	if bad, err := e.r.Protect(ctx, transfer.Holds{Hold: []transfer.Snap{{Dataset: "b/back/a/x", Name: "none", GUID: 1}}, Confirm: true}); err != nil || !errors.Is(bad["b/back/a/x"].Err(), fault.Gone) {
		t.Errorf("one that is not there: %v, %v", bad, err)
	}
	if after := e.all(); after != before {
		t.Errorf("something was changed:\n%s\n%s", before, after)
	}
}

func mustRequest(e *ends) transfer.SendRequest { in, _ := e.request("", "a/x/y@s1"); return in }

func second[T any](_ T, err error) error { return err }

// Limits hold, and what the configuration itself needs does not count.
func TestLimits(t *testing.T) {
	e := newEnds(t)
	e.fill() // b/back is the root, b/back/a is one dataset
	ctx := t.Context()
	full := func(what string, want string) {
		t.Helper()
		e.r.census = census{}
		stream, err := e.s.Send(ctx, mustRequest(e))
		if err != nil {
			t.Fatal(err)
		}
		_, in := e.request("", "a/x/y@s1")
		in.Dataset = "b/back/y"
		switch _, err = e.r.Receive(ctx, in, stream, nil); {
		case err == nil && want == "":
			e.Must("zfs", "destroy", "-r", "b/back/y")
		case err == nil || want == "" || !strings.Contains(err.Error(), want):
			t.Errorf("%s: %v", what, err)
		}
	}
	e.r.Limits, e.r.Below = Limits{Datasets: 1}, true
	full("a second dataset", "the limit of 1 dataset")
	if err := e.r.Placeholder(ctx, transfer.Placeholder{Dataset: "b/back/p"}); err == nil || !strings.Contains(err.Error(), "limits: datasets") {
		t.Errorf("a placeholder: %v", err)
	}
	e.r.Limits = Limits{Datasets: 2}
	full("room for it", "")
	e.r.Below = false
	full("the root counts", "there are 2")
	e.r.Limits = Limits{Snapshots: 1}
	full("a first snapshot", "")
	e.Must("zfs", "snapshot", "b/back/a@x")
	full("a second", "the limit of 1 snapshot")
	e.r.Limits = Limits{Quota: true}
	full("no quota", "no quota is set")
	e.Must("zfs", "set", "quota=100M", "b/back/a")
	full("below the root only", "no quota is set")
	e.Must("zfs", "set", "quota=100M", "b/back")
	full("a quota", "")
	if at, err := Quota(ctx, e.r.ZFS, "b/back/a/x"); err != nil || at != "b/back/a" {
		t.Errorf("quota at %q, %v", at, err)
	}
}

// A cut stream goes on where it stopped, and only for whom it is. What can
// never go on is said to be dead.
func TestResume(t *testing.T) {
	for _, way := range []string{"local", "pull", "push"} {
		t.Run(way, func(t *testing.T) {
			e := newEnds(t)
			e.fill()
			w := e.ways()[way]
			e.moved(w, "", "a/x@s1")
			for _, s := range []string{"big", "bigger"} {
				e.Fill("a/x", 900_000)
				e.Must("zfs", "snapshot", "a/x@"+s)
			}
			e.moved(w, "a/x@s1", "a/x@s4", "a/x@s2", "a/x@s3")
			in, out := e.request("a/x@s4", "a/x@big")
			cut := func() *transfer.Partial {
				t.Helper()
				e.Faults("on=receive n=1 cut=700000")
				if _, err := e.move(w, in, out); err == nil {
					t.Fatal("a cut stream is no error")
				}
				e.Faults("")
				list, err := e.r.List(t.Context(), transfer.ListRequest{Datasets: []string{"b/back/a/x"}})
				i := slices.IndexFunc(list, func(d transfer.Dataset) bool { return d.Name == "b/back/a/x" })
				if err != nil || i < 0 || list[i].Partial == nil {
					t.Fatalf("no partial receive: %+v, %v", list, err)
				}
				return list[i].Partial
			}
			p := cut()
			if p.To != in.To.GUID || p.From != in.From.GUID || p.Of != "a/x" || p.Bad != "" || p.Bytes == 0 {
				t.Errorf("%+v", p)
			}
			again, resumed := transfer.SendRequest{Dataset: "a/x", To: in.To, Token: p.Token, Send: in.Send}, out
			resumed.Resume = true
			other := again
			other.Dataset = "a/x/y"
			if _, err := w.send(t.Context(), other); !errors.Is(err, fault.DeadToken) {
				t.Errorf("for another dataset: %v", err)
			}
			if _, err := e.move(w, again, resumed); err != nil || e.version("b/back/a/x@big").GUID != in.To.GUID {
				t.Fatalf("not resumed: %v", err)
			}
			in, out = e.request("a/x@big", "a/x@bigger")
			p = cut()
			e.Must("zfs", "destroy", "a/x@bigger")
			if _, err := w.send(t.Context(), transfer.SendRequest{Dataset: "a/x", To: in.To, Token: p.Token, Send: in.Send}); !errors.Is(err, fault.DeadToken) {
				t.Errorf("without its snapshot: %v", err)
			}
			if err := e.r.Abort(t.Context(), transfer.Name{Dataset: "b/back/a/x"}); err != nil {
				t.Error(err)
			}
			if got := e.Must("zfs", "get", "-H", "-o", "value", "receive_resume_token", "b/back/a/x"); got != "-\n" {
				t.Errorf("not discarded: %q", got)
			}
		})
	}
}
