package endpoint

import (
	"context"
	"fmt"
	"iter"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/rpc"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

func greet(t *testing.T, c rpc.Client, run string) error {
	t.Helper()
	return c.Call(t.Context(), "hello", transfer.Hello{Protocol: transfer.Protocol, Run: run}, new(transfer.Welcome))
}

// TestLooker: without a run a client only looks, and a connection has one run.
func TestLooker(t *testing.T) {
	let := []string{}
	refuse := true
	service := func() *Service {
		return &Service{Hello: func(_ context.Context, _, run string) error {
			if refuse {
				return fmt.Errorf("busy")
			}
			let = append(let, run)
			return nil
		}}
	}
	source, sink := &rpc.Server{}, &rpc.Server{}
	none := filter{}
	ServeSender(source, service(), &Sender{Datasets: none, Tag: "zreplctl_source_x"}, nil)
	ServeReceiver(sink, service(), &Receiver{Map: func(string) (string, bool) { return "", false }})
	s, r := rpc.Local(source), rpc.Local(sink)
	acts := map[string]func() error{
		"protect":     func() error { return s.Call(t.Context(), "protect", transfer.Holds{}, new(transfer.Problems)) },
		"sinkprotect": func() error { return r.Call(t.Context(), "protect", transfer.Holds{}, new(transfer.Problems)) },
		"placeholder": func() error { return r.Call(t.Context(), "placeholder", transfer.Placeholder{Dataset: "a/b"}, nil) },
		"abort":       func() error { return r.Call(t.Context(), "abort", transfer.Name{Dataset: "a/b"}, nil) },
		"send": func() error {
			_, _, err := s.CallReceive(t.Context(), "send", transfer.SendRequest{Dataset: "a/b"}, new(transfer.SendReply))
			return err
		},
		"receive": func() error {
			return r.CallSend(t.Context(), "receive", transfer.ReceiveRequest{Dataset: "a/b"}, func(context.Context, *os.File) error { return nil }, new(transfer.Received))
		},
	}
	refused := func(when, want string) {
		t.Helper()
		for name, act := range acts {
			if err := act(); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s, %s: %v", when, name, err)
			}
		}
	}
	looks := func() error {
		var list iter.Seq2[transfer.Dataset, error]
		return s.Call(t.Context(), "list", transfer.ListRequest{}, &list)
	}
	refused("before hello", "the first call must be hello")
	if err := looks(); err == nil {
		t.Error("a list before hello")
	}
	if err := greet(t, s, "r1"); err == nil {
		t.Error("let in")
	}
	refused("after a hello that was refused", "the first call must be hello")
	for _, c := range []rpc.Client{s, r} {
		if err := greet(t, c, ""); err != nil {
			t.Error(err)
		}
	}
	refused("looking", "may only look")
	if err := looks(); err != nil {
		t.Errorf("a looker's list: %v", err)
	}
	if greet(t, s, "r1") == nil {
		t.Error("let in")
	}
	refused("looking, after a run that was refused", "may only look")
	refuse = false
	for _, run := range []string{"r1", "r1"} {
		if err := greet(t, s, run); err != nil {
			t.Error(err)
		}
	}
	for _, run := range []string{"r2", ""} {
		if err := greet(t, s, run); err == nil || !strings.Contains(err.Error(), "one run") {
			t.Errorf("a second run %q: %v", run, err)
		}
	}
	if err := acts["protect"](); err != nil {
		t.Errorf("a run may not act: %v", err)
	}
	if fmt.Sprint(let) != "[r1]" {
		t.Errorf("let in: %v", let)
	}
}

// filter offers nothing.
type filter struct{}

func (filter) Pass(string) bool        { return false }
func (filter) Roots() ([]string, bool) { return nil, false }

// TestCounts: more names than one request may hold are refused, and what this
// side asks comes in parts that keep a dataset together.
func TestCounts(t *testing.T) {
	big := make([]transfer.Snap, maxPerCall+1)
	names := make([]string, maxPerCall+1)
	for _, in := range []any{big, names, transfer.ListRequest{Datasets: names}, transfer.UsesRequest{Datasets: names},
		transfer.UsesRequest{Features: names}, transfer.Holds{Hold: big[1:], Unmark: names[:1]}, transfer.Holds{Common: big}} {
		if checkCount(in) == nil {
			t.Errorf("%T is taken", in)
		}
	}
	var h transfer.Holds
	for i := range 4 * perCall {
		s := transfer.Snap{Dataset: fmt.Sprint("p/", i%7000), Name: fmt.Sprint(i), GUID: dataset.GUID(i)}
		h.Common = append(h.Common, s) // more of them than of the others, as in a first run
		switch i % 3 {
		case 0:
			h.Hold = append(h.Hold, s)
		case 1:
			h.Release = append(h.Release, s)
		case 2:
			h.Unmark = append(h.Unmark, s.Dataset)
		}
	}
	seen, total := map[string]int{}, 0
	for i, part := range splitHolds(h) {
		total += countHolds(part)
		if err := checkCount(part); err != nil {
			t.Error(err)
		}
		for _, s := range slices.Concat(part.Hold, part.Release, part.Common) {
			if at, ok := seen[s.Dataset]; ok && at != i {
				t.Fatalf("%s is in parts %d and %d", s.Dataset, at, i)
			}
			seen[s.Dataset] = i
		}
	}
	if total != countHolds(h) {
		t.Errorf("%d of %d", total, countHolds(h))
	}
}

// TestBegin: nothing is done for a client before Begin was, and a run that
// begins on a connection that only looked begins anew.
func TestBegin(t *testing.T) {
	began, fail := 0, true
	v := &Service{Begin: func(context.Context) error {
		if began++; fail {
			return fmt.Errorf("cannot read it")
		}
		return nil
	}}
	source := &rpc.Server{}
	sender := &Sender{Datasets: filter{}, Tag: "zreplctl_source_x"}
	ServeSender(source, v, sender, nil)
	s := rpc.Local(source)
	looks := func() error {
		var list iter.Seq2[transfer.Dataset, error]
		return s.Call(t.Context(), "list", transfer.ListRequest{}, &list)
	}
	for _, run := range []string{"", "r1", "r1"} {
		if err := greet(t, s, run); err == nil || !strings.Contains(err.Error(), "cannot read it") {
			t.Errorf("run %q: %v", run, err)
		}
		if err := looks(); err == nil {
			t.Errorf("run %q: a list", run)
		}
		if err := s.Call(t.Context(), "protect", transfer.Holds{}, new(transfer.Problems)); err == nil {
			t.Errorf("run %q: protect", run)
		}
	}
	fail = false
	for i, run := range []string{"r1", "r1"} {
		if err := greet(t, s, run); err != nil || began != 4 {
			t.Errorf("greeting %d: %v, begun %d times", i, err, began)
		}
	}
	if err := looks(); err != nil {
		t.Error(err)
	}
	v.greeted, v.run = false, ""
	for _, run := range []string{"", "", "r2"} {
		if err := greet(t, s, run); err != nil {
			t.Error(err)
		}
	}
	if began != 6 {
		t.Errorf("begun %d times: once to look, and once for the run", began-4)
	}
}
