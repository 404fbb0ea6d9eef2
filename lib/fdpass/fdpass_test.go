package fdpass

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// sockets returns two connected Unix stream sockets.
func sockets(t *testing.T) (a, b *net.UnixConn) {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	conns := [2]*net.UnixConn{}
	for i, fd := range pair {
		f := os.NewFile(uintptr(fd), "socket")
		c, err := net.FileConn(f)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		conns[i] = c.(*net.UnixConn)
		t.Cleanup(func() { c.Close() })
	}
	return conns[0], conns[1]
}

func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	r, w = os.NewFile(uintptr(p[0]), "r"), os.NewFile(uintptr(p[1]), "w")
	t.Cleanup(func() { r.Close(); w.Close() })
	return r, w
}

func TestPassPipes(t *testing.T) {
	a, b := sockets(t)
	r1, w1 := pipe(t)
	r2, w2 := pipe(t)
	if err := Send(a, r1, w2); err != nil {
		t.Fatal(err)
	}
	in, out, err := Receive(b, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	defer out.Close()
	for _, f := range []*os.File{in, out} {
		if flags, _ := unix.FcntlInt(f.Fd(), unix.F_GETFD, 0); flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("%s is not close-on-exec", f.Name())
		}
		if flags, _ := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0); flags&unix.O_NONBLOCK != 0 {
			t.Errorf("%s became non-blocking", f.Name())
		}
	}
	io.WriteString(w1, "ping")
	io.WriteString(out, "pong")
	got := make([]byte, 8)
	io.ReadFull(in, got[:4])
	io.ReadFull(r2, got[4:])
	if string(got) != "pingpong" {
		t.Errorf("got %q", got)
	}
}

// TestRefused passes wrong things past Send's own check; each is refused by
// name and leaves no descriptor behind.
func TestRefused(t *testing.T) {
	r, w := pipe(t)
	file, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	null, _ := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	defer null.Close()
	datagram, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	lonely, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	both, err := os.OpenFile(fifo, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer both.Close()
	defer closeAll([]int{datagram[0], datagram[1], lonely})
	R, W := int(r.Fd()), int(w.Fd())
	many := make([]int, room+3)
	for i := range many {
		many[i] = R
	}
	for _, c := range []struct {
		name, text string
		fds        []int
		want       string
	}{
		{"none", magic, nil, "0 descriptors"},
		{"one", magic, []int{R}, "1 descriptors"},
		{"three", magic, []int{R, W, R}, "3 descriptors"},
		{"many", magic, many, "truncated"},
		{"swapped", magic, []int{W, R}, "not open for just reading"},
		{"both read", magic, []int{R, R}, "not open for just writing"},
		{"fifo for both", magic, []int{int(both.Fd()), W}, "not open for just reading"},
		{"file", magic, []int{int(file.Fd()), W}, "a file"},
		{"device", magic, []int{R, int(null.Fd())}, "device"},
		{"datagram", magic, []int{datagram[0], W}, "no stream"},
		{"unconnected", magic, []int{lonely, W}, "without a peer"},
		{"wrong text", "GET ", []int{R, W}, `"GET "`},
		{"short text", "z", []int{R, W}, `"z"`},
		{"long text", magic + "x", []int{R, W}, `"zfd1x"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, b := sockets(t)
			before := openFiles(t)
			if _, _, err := a.WriteMsgUnix([]byte(c.text), unix.UnixRights(c.fds...), nil); err != nil {
				t.Fatal(err)
			}
			_, _, err := Receive(b, time.Second)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
			if after := openFiles(t); after != before {
				t.Errorf("%d descriptors open, %d before", after, before)
			}
		})
	}
}

func TestSilentSender(t *testing.T) {
	_, b := sockets(t)
	if _, _, err := Receive(b, 20*time.Millisecond); err == nil || !strings.Contains(err.Error(), "within 20ms") {
		t.Errorf("error %v", err)
	}
	a, b := sockets(t)
	a.Close()
	if _, _, err := Receive(b, time.Second); err == nil {
		t.Error("a sender that hung up was accepted")
	}
}

func TestSendChecks(t *testing.T) {
	a, _ := sockets(t)
	r, w := pipe(t)
	if err := Send(a, w, r); err == nil {
		t.Error("swapped ends were sent")
	}
	if err := Send(a, nil, w); err == nil {
		t.Error("a missing descriptor was sent")
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	n := 0
	for fd := range 256 {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil {
			n++
		}
	}
	return n
}
