package endpoint

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/child"
	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/rpc"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// serving is a pool of connections to a server in this process.
func serving(t *testing.T, server *rpc.Server) *Pool { return servingAs(t, server, SourceRole) }

func servingAs(t *testing.T, server *rpc.Server, role string) *Pool {
	(&Service{}).register(server, role, "")
	dial := func(context.Context) (*Link, error) {
		theirs, request, err := child.Pipe()
		if err != nil {
			return nil, err
		}
		reply, ours, err := child.Pipe()
		if err != nil {
			return nil, err
		}
		go func() {
			server.Serve(t.Context(), theirs, ours)
			theirs.Close()
			ours.Close()
		}()
		conn, err := rpc.NewConn(reply, request)
		return &Link{Client: conn, Explain: func(err error) error { conn.Close(); return err }}, err
	}
	p := &Pool{Dial: dial, Role: role}
	t.Cleanup(p.Close)
	return p
}

// TestDeferredMany asks about as many snapshots as a first replication of a
// big host brings, more than one request may hold.
func TestDeferredMany(t *testing.T) {
	asked := 0
	server := &rpc.Server{}
	server.Handle("deferred", func(_ context.Context, in []transfer.Snap) ([]transfer.Snap, error) {
		asked += len(in)
		return in[:1], nil
	})
	var snaps []transfer.Snap
	for i := range 100_000 {
		snaps = append(snaps, transfer.Snap{Dataset: "tank/" + strings.Repeat("d", 200), Name: fmt.Sprint("s", i), GUID: dataset.GUID(i + 1)})
	}
	marked, err := RemoteSender{serving(t, server)}.Deferred(t.Context(), snaps)
	if err != nil {
		t.Fatal(err)
	}
	if asked != len(snaps) || len(marked) != 10 || marked[1] != snaps[10_000] {
		t.Errorf("asked about %d snapshots, and %d are marked", asked, len(marked))
	}
}
