package job_test

import (
	"context"
	"iter"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/fdpass"
	"github.com/zrepl-tools/zrepl-tools/lib/frame"
	"github.com/zrepl-tools/zrepl-tools/lib/rpc"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// evilSource is a source that lists and sends what it likes. zstdinserver
// hands it the connections of a pull job.
type evilSource struct {
	mu   sync.Mutex // of all that is here, and held while send makes a stream
	list []transfer.Dataset
	send func(in transfer.SendRequest) []byte
}

// offer sets what is listed and how the streams are made.
func (e *evilSource) offer(list []transfer.Dataset, send func(in transfer.SendRequest) []byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.list, e.send = list, send
}

// listen serves every connection until the test ends. It returns the folder of
// the socket.
func (e *evilSource) listen(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "zt") // a socket's path is short
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: dir + "/evil", Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	t.Cleanup(func() { l.Close(); serving.Wait(); os.RemoveAll(dir) })
	go func() {
		for {
			conn, err := l.AcceptUnix()
			if err != nil {
				return
			}
			serving.Go(func() { defer conn.Close(); e.serve(conn) })
		}
	}()
	return dir
}

func (e *evilSource) serve(conn *net.UnixConn) {
	in, out, err := fdpass.Receive(conn, time.Minute)
	if err != nil {
		return
	}
	defer in.Close()
	defer out.Close()
	e.server().Serve(context.Background(), in, out)
}

func (e *evilSource) server() *rpc.Server {
	s := &rpc.Server{}
	s.Handle("hello", func(context.Context, transfer.Hello) (transfer.Welcome, error) {
		return transfer.Welcome{Protocol: transfer.Protocol, Client: "evil", Role: "source"}, nil
	})
	s.Handle("list", func(context.Context, transfer.ListRequest) (iter.Seq2[transfer.Dataset, error], error) {
		e.mu.Lock()
		list := e.list
		e.mu.Unlock()
		return func(yield func(transfer.Dataset, error) bool) {
			for _, d := range list {
				if !yield(d, nil) {
					return
				}
			}
		}, nil
	})
	s.Handle("protect", func(context.Context, transfer.Holds) (transfer.Problems, error) { return nil, nil })
	s.Handle("deferred", func(context.Context, []transfer.Snap) ([]transfer.Snap, error) { return nil, nil })
	s.Handle("uses", func(context.Context, transfer.UsesRequest) (map[string]transfer.Uses, error) { return nil, nil })
	s.Handle("send", func(_ context.Context, in transfer.SendRequest) (transfer.SendReply, rpc.Sender, error) {
		e.mu.Lock()
		defer e.mu.Unlock()
		stream := e.send(in)
		reply := transfer.SendReply{From: in.From.GUID, To: in.To.GUID, Name: in.To.Name}
		return reply, func(_ context.Context, out *os.File) error { return framed(out, stream) }, nil
	})
	return s
}

// framed writes a stream as zsend-frame does, to its good end.
func framed(out *os.File, stream []byte) error {
	w := frame.NewWriter(out, frame.None)
	if err := w.Header(frame.MakeHeader(frame.None)); err != nil {
		return err
	}
	if err := w.Data(stream); err != nil {
		return err
	}
	return w.Trailer(frame.Trailer{Status: frame.StatusOK})
}
