package endpoint

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/rpc"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

const hugeDatasets, hugeSnapshots = 50_000, 3 // what is asked of them exceeds a message

func hugeName(i int) string { return fmt.Sprintf("tank/%s/%06d", strings.Repeat("d", 100), i) }

func hugeList(yield func(transfer.Dataset, error) bool) {
	for i := range hugeDatasets {
		d := transfer.Dataset{Name: hugeName(i), Mark: 50, Send: dataset.SendOptions{LargeBlocks: true},
			Told: transfer.Properties{Set: map[string]string{"compression": "zstd", "recordsize": "1M"}, Sum: strings.Repeat("s", 64)}}
		for s := range hugeSnapshots {
			d.Versions = append(d.Versions, dataset.Version{Kind: dataset.Snapshot, Name: fmt.Sprintf("zrepl_20260101_%06d_000", s), GUID: dataset.GUID(i*hugeSnapshots + s + 1), CreateTXG: uint64(s + 1)})
		}
		d.Held = transfer.Names(d.Versions[0].Name)
		if !yield(d, nil) {
			return
		}
	}
}

// TestHugeRun makes each call of a first run over 50,000 datasets, on both
// ends, with the limits of a server, where each hold takes its time: none
// exceeds a message, or the time that its reply may take.
func TestHugeRun(t *testing.T) {
	server := &rpc.Server{Limits: rpc.Limits{JSON: 8 << 20, Decoded: 8 << 20, Heartbeat: 100 * time.Millisecond}}
	var held, asked int
	slow := func(n int) { held += n; time.Sleep(time.Duration(n) * 150 * time.Microsecond) }
	server.Handle("list", func(context.Context, transfer.ListRequest) (iter.Seq2[transfer.Dataset, error], error) {
		return hugeList, nil
	})
	server.Handle("protect", func(_ context.Context, in transfer.Holds) (transfer.Problems, error) {
		slow(countHolds(in))
		return transfer.Problems{}, checkCount(in)
	})
	same := func(_ context.Context, in []transfer.Snap) ([]transfer.Snap, error) {
		asked += len(in)
		return in, checkCount(in)
	}
	server.Handle("held", same)
	server.Handle("deferred", same)
	server.Handle("since", func(_ context.Context, in []transfer.Snap) (map[string]uint64, error) {
		out := map[string]uint64{}
		for _, s := range in {
			out[s.Dataset] = 1
		}
		return out, checkCount(in)
	})
	server.Handle("targets", func(_ context.Context, in []string) (map[string]string, error) {
		out := map[string]string{}
		for _, name := range in {
			out[name] = "back/" + name
		}
		return out, checkCount(in)
	})
	server.Handle("uses", func(_ context.Context, in transfer.UsesRequest) (map[string]transfer.Uses, error) {
		out := map[string]transfer.Uses{}
		for _, name := range in.Datasets {
			out[name] = transfer.Uses{}
		}
		return out, checkCount(in)
	})
	p := serving(t, server)
	dial := p.Dial
	p.Dial = func(ctx context.Context) (*Link, error) {
		l, err := dial(ctx)
		if err == nil {
			l.Client.(*rpc.Conn).Limits.Reply = time.Second
		}
		return l, err
	}
	from, to := RemoteSender{p}, RemoteReceiver{Pool: p}
	list, err := from.List(t.Context(), transfer.ListRequest{Thorough: true})
	if err != nil || len(list) != hugeDatasets || len(list[9].Versions) != hugeSnapshots {
		t.Fatalf("%d datasets: %v", len(list), err)
	}
	var names []string
	var snaps []transfer.Snap
	for _, d := range list {
		names = append(names, d.Name)
		snaps = append(snaps, transfer.Snap{Dataset: d.Name, Name: d.Versions[0].Name, GUID: d.Versions[0].GUID})
	}
	if got, err := to.Targets(t.Context(), names); err != nil || len(got) != hugeDatasets {
		t.Errorf("targets: %d, %v", len(got), err)
	}
	if got, err := to.Since(t.Context(), snaps); err != nil || len(got) != hugeDatasets {
		t.Errorf("since: %d, %v", len(got), err)
	}
	if got, err := from.Uses(t.Context(), transfer.UsesRequest{Datasets: names}); err != nil || len(got) != hugeDatasets {
		t.Errorf("uses: %d, %v", len(got), err)
	}
	for what, ask := range map[string]func(context.Context, []transfer.Snap) ([]transfer.Snap, error){"held": from.Held, "deferred": from.Deferred} {
		if got, err := ask(t.Context(), snaps); err != nil || len(got) != hugeDatasets {
			t.Errorf("%s: %d, %v", what, len(got), err)
		}
	}
	if bad, err := to.Protect(t.Context(), transfer.Holds{Hold: snaps, Confirm: true}); err != nil || len(bad) > 0 || held != hugeDatasets {
		t.Errorf("protect: %d held, %v, %d problems", held, err, len(bad))
	}
}
