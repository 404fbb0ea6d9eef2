package transport

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/child"
)

// sockDir is a directory whose name leaves room for a socket's.
func sockDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "s")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func listen(t *testing.T, dir string) *Listener {
	t.Helper()
	l, err := Listen(dir, "client")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// pass passes two new pipes and returns the far ends and what Pass says.
func pass(t *testing.T, dir string) (r, w *os.File, said chan passed) {
	t.Helper()
	in, w, err := child.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r, out, err := child.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	said = make(chan passed, 1)
	go func() {
		status, err := Pass(context.Background(), dir, "client", in, out)
		said <- passed{status, err}
	}()
	return r, w, said
}

type passed struct {
	status int
	err    error
}

func (p passed) exitStatus() int {
	var s interface{ ExitStatus() int }
	switch {
	case errors.As(p.err, &s):
		return s.ExitStatus()
	case p.err != nil:
		return 1
	}
	return p.status
}

func TestPassAndEnd(t *testing.T) {
	dir := sockDir(t)
	l := listen(t, dir)
	r, w, said := pass(t, dir)
	p, err := l.Accept(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Receive(); err != nil {
		t.Fatal(err)
	}
	io.WriteString(w, "ping")
	io.WriteString(p.Out, "pong")
	got := make([]byte, 8)
	io.ReadFull(p.In, got[:4])
	io.ReadFull(r, got[4:])
	if string(got) != "pingpong" {
		t.Errorf("got %q", got)
	}
	if p.Peer.PID != os.Getpid() && p.Peer.PID != -1 {
		t.Errorf("peer %+v", p.Peer)
	}
	p.End(7)
	if _, err := r.Read(got); err != io.EOF {
		t.Errorf("the far end sees %v", err)
	}
	if s := <-said; s.status != 7 || s.err != nil {
		t.Errorf("%+v", s)
	}
}

func TestPassRefused(t *testing.T) {
	dir := sockDir(t)
	l := listen(t, dir)
	_, _, said := pass(t, dir)
	p, err := l.Accept(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	p.Refuse(75, "too many\nconnections\x1b[0m")
	if s := <-said; s.exitStatus() != 75 || s.err.Error() != "refused: too many; connections[0m" {
		t.Errorf("%+v", s)
	}
}

// TestPassFails: what zstdinserver says where it can't do its work.
func TestPassFails(t *testing.T) {
	r, w, err := child.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	open := sockDir(t)
	os.Chmod(open, 0o755)
	dead := sockDir(t)
	addr := &net.UnixAddr{Name: filepath.Join(dead, "client"), Net: "unix"}
	gone, err := net.ListenUnix("unix", addr)
	if err != nil {
		t.Fatal(err)
	}
	gone.SetUnlinkOnClose(false)
	gone.Close()
	for name, c := range map[string]struct {
		dir, id string
		in, out *os.File
		status  int
		want    string
	}{
		"bad id":    {dead, "../client", r, w, 2, "bad client identity"},
		"empty id":  {dead, "", r, w, 2, "bad client identity"},
		"slash":     {dead, "a/b", r, w, 2, "bad client identity"},
		"no socket": {dead, "other", r, w, 75, "no such socket"},
		"nobody":    {dead, "client", r, w, 75, "nobody listens there"},
		"no dir":    {"/no/such/dir", "client", r, w, 75, "no such file"},
		"open dir":  {open, "client", r, w, 2, "others than its owner can enter"},
		"no pipe":   {dead, "client", null, w, 2, "not a connection"},
		"wrong way": {dead, "client", w, r, 2, "not open for just reading"},
		"long path": {strings.Repeat("/x", 60), "client", r, w, 1, "bytes long"},
		"not open":  {dead, "client", nil, w, 2, "not open"},
	} {
		t.Run(name, func(t *testing.T) {
			status, err := Pass(context.Background(), c.dir, c.id, c.in, c.out)
			got := passed{status, err}
			if err == nil || !strings.Contains(err.Error(), c.want) || c.status != 1 && got.exitStatus() != c.status {
				t.Errorf("%d, %v; want %d, %q", got.exitStatus(), err, c.status, c.want)
			}
		})
	}
}

// TestLostDaemon: it ends without a word, or says nonsense.
func TestLostDaemon(t *testing.T) {
	for said, want := range map[string]int{"": 75, "en": 75, "end\n": 1, "maybe 3\n": 1, "end 300\n": 1, "no 0 \n": 1, "end 3\n": 3} {
		dir := sockDir(t)
		l := listen(t, dir)
		_, _, result := pass(t, dir)
		p, err := l.Accept(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Receive(); err != nil {
			t.Fatal(err)
		}
		io.WriteString(p.conn, said)
		p.conn.Close()
		if s := <-result; s.exitStatus() != want {
			t.Errorf("%q: %+v", said, s)
		}
	}
}

func TestListenAgain(t *testing.T) {
	dir := sockDir(t)
	l := listen(t, dir)
	if _, err := Listen(dir, "client"); !errors.Is(err, ErrInUse) {
		t.Errorf("a second listener: %v", err)
	}
	l.l.SetUnlinkOnClose(false)
	l.Close()
	again, err := Listen(dir, "client") // the socket of a daemon that was killed
	if err != nil {
		t.Fatal(err)
	}
	again.Close()
	if err := os.WriteFile(filepath.Join(dir, "client"), []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(dir, "client"); err == nil || !strings.Contains(err.Error(), "not a socket") {
		t.Errorf("in place of a file: %v", err)
	}
	if _, err := Listen(filepath.Join(dir, "client"), "x"); err == nil {
		t.Error("in a file")
	}
	if err := os.Symlink(sockDir(t), filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(filepath.Join(dir, "link"), "x"); err == nil {
		t.Error("in a symbolic link")
	}
}

func TestAcceptEnds(t *testing.T) {
	l := listen(t, sockDir(t))
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(10*time.Millisecond, cancel)
	if _, err := l.Accept(ctx); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
}
