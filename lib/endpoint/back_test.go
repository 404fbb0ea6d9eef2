package endpoint

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/rpc"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// A sink of before these calls is named as too old.
func TestOldSink(t *testing.T) {
	b := RemoteBack{servingAs(t, &rpc.Server{}, SinkRole)}
	_, err := b.Copies(t.Context(), transfer.CopiesRequest{Target: "p/x"})
	_, perr := b.Pin(t.Context(), transfer.Pins{Target: "p/x", Release: []transfer.Snap{{Dataset: "p/x", Name: "s"}}})
	_, rerr := b.Restore(t.Context(), transfer.SendRequest{Dataset: "p/x"})
	_, serr := b.Sizes(t.Context(), []transfer.SendRequest{{Dataset: "p/x"}})
	for _, err := range []error{err, perr, rerr, serr} {
		if !errors.Is(err, errOldSink) {
			t.Error(err)
		}
	}
}

// What names many snapshots is several requests, each small enough for a server.
func TestSplitPins(t *testing.T) {
	in := transfer.Pins{Target: "p/x", Hold: make([]transfer.Snap, perCall+1), Release: make([]transfer.Snap, 3)}
	hold, release := 0, 0
	for _, part := range splitPins(in) {
		if checkCount(part) != nil || part.Target != in.Target {
			t.Errorf("%q, %d and %d", part.Target, len(part.Hold), len(part.Release))
		}
		hold, release = hold+len(part.Hold), release+len(part.Release)
	}
	if hold != perCall+1 || release != 3 {
		t.Errorf("%d and %d", hold, release)
	}
	if err := checkCount(transfer.Pins{Hold: make([]transfer.Snap, maxPerCall), Release: make([]transfer.Snap, 1)}); err == nil || !strings.Contains(err.Error(), "at most") {
		t.Error(err)
	}
}

// A problem that is no object is one all the same, and no broken connection.
func TestPinUnreadable(t *testing.T) {
	server := &rpc.Server{}
	server.Handle("pin", func(context.Context, transfer.Pins) (map[string]string, error) {
		return map[string]string{"p/x": "no object"}, nil
	})
	b := RemoteBack{servingAs(t, server, SinkRole)}
	bad, err := b.Pin(t.Context(), transfer.Pins{Target: "p/y", Hold: []transfer.Snap{{Dataset: "p/x", Name: "s", GUID: 1}}})
	if err != nil || bad["p/x"].Err() == nil {
		t.Errorf("%v, %v", bad, err)
	}
}
