package endpoint

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/fault"
	"github.com/zrepl-tools/zrepl-tools/lib/rpc"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs/stream"
)

// TestIdlePool: a connection that the server has closed meanwhile, for it was
// idle, is not used again, and another one is made without a word.
func TestIdlePool(t *testing.T) {
	server := &rpc.Server{Limits: rpc.Limits{Idle: 500 * time.Millisecond}}
	server.Handle("since", func(_ context.Context, in []transfer.Snap) (map[string]uint64, error) { return nil, nil })
	p := serving(t, server)
	dialled := 0
	dial := p.Dial
	var last *rpc.Conn
	p.Dial = func(ctx context.Context) (*Link, error) {
		dialled++
		l, err := dial(ctx)
		if err == nil {
			last = l.Client.(*rpc.Conn)
		}
		return l, err
	}
	for range 3 {
		if _, err := (RemoteReceiver{Pool: p}).Since(t.Context(), []transfer.Snap{{}}); err != nil {
			t.Error(err)
		}
		for last.Quiet() { // until the server has closed it
			time.Sleep(10 * time.Millisecond)
		}
	}
	if dialled != 3 {
		t.Errorf("%d connections", dialled)
	}
}

// TestCancelledCall: a call that is cancelled ends the connection that it uses,
// and none that it has opened and others use.
func TestCancelledCall(t *testing.T) {
	server := &rpc.Server{}
	server.Handle("since", func(ctx context.Context, in []transfer.Snap) (map[string]uint64, error) {
		if len(in) > 1 {
			<-ctx.Done()
		}
		return nil, ctx.Err()
	})
	p := serving(t, server)
	var lives []context.Context
	dial := p.Dial
	p.Dial = func(ctx context.Context) (*Link, error) { lives = append(lives, ctx); return dial(ctx) }
	since := RemoteReceiver{Pool: p}.Since
	first, cancel := context.WithCancel(t.Context())
	if _, err := since(first, []transfer.Snap{{}}); err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := since(t.Context(), []transfer.Snap{{}}); err != nil || len(lives) != 1 || lives[0].Err() != nil {
		t.Errorf("%v, %d connections, %v", err, len(lives), lives[0].Err())
	}
	second, cancel := context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, cancel)
	if _, err := since(second, []transfer.Snap{{}, {}}); !errors.Is(err, context.Canceled) || lives[0].Err() == nil {
		t.Errorf("%v, %v", err, lives[0].Err())
	}
	if _, err := since(t.Context(), []transfer.Snap{{}}); err != nil || len(lives) != 2 {
		t.Errorf("%v, %d connections", err, len(lives))
	}
}

// TestAnswers: what an answer says may pass by itself is a fault of the link,
// and other answers are not.
func TestAnswers(t *testing.T) {
	for code, passes := range map[string]bool{rpc.CodeLater: true, rpc.CodeTimeout: true, rpc.CodeLimit: false, rpc.CodeFailed: false, "other": false} {
		server := &rpc.Server{}
		server.Handle("protect", func(context.Context, transfer.Holds) (transfer.Problems, error) {
			return nil, &rpc.RemoteError{Code: code, Message: "no"}
		})
		_, err := RemoteSender{serving(t, server)}.Protect(t.Context(), transfer.Holds{})
		if link := (*transfer.LinkError)(nil); errors.As(err, &link) != passes || err == nil {
			t.Errorf("%s: %v", code, err)
		}
	}
}

// TestCodes: the kind of a server's error comes as a code. A code that is not
// known is none, and a source says nothing about the space of a receiver.
func TestCodes(t *testing.T) {
	var fails error
	server := &rpc.Server{}
	server.Handle("strays", func(context.Context, transfer.StraysRequest) (transfer.Strays, error) {
		return transfer.Strays{}, fails
	})
	source := serving(t, server)
	sink := &Pool{Role: SinkRole}
	for _, c := range []struct {
		err          error
		source, sink fault.Kind
	}{
		{fmt.Errorf("cannot hold: %w", &zfs.Error{Code: 1, Stderr: "cannot open 'p/x': dataset does not exist"}), fault.Gone, fault.Gone},
		{fault.With(fault.NoSpace, errors.New("full")), "", fault.NoSpace},
		{stream.BadToken("not hexadecimal"), fault.DeadToken, fault.DeadToken},
		{&rpc.RemoteError{Code: "from-a-newer-one", Message: "dataset does not exist, out of space"}, "", ""},
		{errors.New("dataset does not exist"), "", ""},
	} {
		fails = c.err
		_, err := RemoteSender{source}.Strays(t.Context(), transfer.StraysRequest{})
		var answer *rpc.RemoteError
		if !errors.As(err, &answer) || answer.Message != c.err.Error() || fault.Of(err) != c.source {
			t.Errorf("%v: %v, kind %q", c.err, err, fault.Of(err))
			continue
		}
		if got := fault.Of(sink.answered(answer, answer)); got != c.sink {
			t.Errorf("%v: of a sink, kind %q", c.err, got)
		}
	}
}

// TestBehind counts what a map holds, for fields that a list may come to have.
func TestBehind(t *testing.T) {
	type properties struct {
		Of map[string]struct{ Value, Source string }
	}
	all := make([]properties, 2000)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	counted := 0
	for i := range all {
		all[i].Of = map[string]struct{ Value, Source string }{}
		for k := range i % 40 {
			all[i].Of[fmt.Sprintf("org.acme:property%d", k)] = struct{ Value, Source string }{fmt.Sprintf("some value of %d", k), ""}
		}
		counted += behind(reflect.ValueOf(all[i]))
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if took := int(after.HeapAlloc) - int(before.HeapAlloc); took > counted*5/4 {
		t.Errorf("%d bytes, counted as %d", took, counted)
	}
	runtime.KeepAlive(all)
}

// TestListSize: what gather counts of a list is at least what the list takes,
// whatever is in it, so that a far side cannot make this one use much more
// than the limit.
func TestListSize(t *testing.T) {
	strings40 := make([]string, 40)
	for i := range strings40 {
		strings40[i] = fmt.Sprint(i)
	}
	for name, one := range map[string]func(i int) transfer.Dataset{
		"empty": func(i int) transfer.Dataset { return transfer.Dataset{Name: fmt.Sprint(i)} },
		"versions": func(i int) transfer.Dataset {
			return transfer.Dataset{Name: fmt.Sprint(i), Versions: make([]dataset.Version, 50)}
		},
		"held": func(i int) transfer.Dataset {
			return transfer.Dataset{Name: fmt.Sprint(i), Held: transfer.Names(strings40...)}
		},
		"marks": func(i int) transfer.Dataset {
			return transfer.Dataset{Name: fmt.Sprint(i), Marks: transfer.Names(strings40...)}
		},
		"partial": func(i int) transfer.Dataset {
			return transfer.Dataset{Name: fmt.Sprint(i), Recorded: strings.Repeat("r", 300), Partial: &transfer.Partial{Token: strings.Repeat("t", 500), Bad: strings.Repeat("b", 90)}}
		},
		"one": func(i int) transfer.Dataset {
			return transfer.Dataset{Name: "one", Versions: make([]dataset.Version, 100)}
		},
	} {
		counted := 0
		seq := iter.Seq2[entry, error](func(yield func(entry, error) bool) {
			for i := range 5000 {
				d := one(i)
				counted += sizeOf(&d)
				if !yield(entry{d}, nil) {
					return
				}
			}
		})
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		list, err := gather(seq, Limits{})
		if err != nil {
			t.Fatal(err)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		took := int(after.HeapAlloc) - int(before.HeapAlloc)
		runtime.KeepAlive(list)
		if took > counted*5/4 {
			t.Errorf("%s: %d bytes, counted as %d", name, took, counted)
		}
		t.Logf("%s: %d KiB, counted as %d KiB", name, took>>10, counted>>10)
	}
}
