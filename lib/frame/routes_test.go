package frame

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// route is a pair of descriptors that a stream can move between.
type route struct {
	name    string
	in, out string // pipe, socket, file or append (a file opened with O_APPEND)
	plain   bool
}

var routes = []route{
	{"buffered", "pipe", "pipe", true},
	{"pipe to pipe", "pipe", "pipe", false},
	{"socket to pipe", "socket", "pipe", false},
	{"pipe to socket", "pipe", "socket", false},
	{"socket to socket", "socket", "socket", false},
	{"file to pipe", "file", "pipe", false},
	{"pipe to file", "pipe", "file", false},
	{"file to file", "file", "file", false},
	{"pipe to appended file", "pipe", "append", false},
	{"socket to appended file", "socket", "append", false},
}

// heavy is set where a test may take its time.
var heavy = os.Getenv("ZT_HEAVY") != ""

func pair(t testing.TB, kind string) (r, w *os.File) {
	t.Helper()
	var fds [2]int
	err := unix.Pipe2(fds[:], unix.O_CLOEXEC)
	if kind == "socket" {
		unix.Close(fds[0])
		unix.Close(fds[1])
		fds, err = unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	return os.NewFile(uintptr(fds[0]), "r"), os.NewFile(uintptr(fds[1]), "w")
}

// tempFile is an empty file without a name.
func tempFile(t testing.TB, flags int) *os.File {
	t.Helper()
	name := filepath.Join(os.TempDir(), fmt.Sprintf("zframe-test-%d-%x", os.Getpid(), rand.Uint64()))
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL|flags, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	os.Remove(name)
	return f
}

// input is a descriptor that data can be read from, and then its end. It is
// written in pieces of that size; 0: at once.
func input(t testing.TB, kind string, data []byte, size int) *os.File {
	t.Helper()
	if kind == "file" {
		f := tempFile(t, 0)
		if _, err := f.WriteAt(data, 0); err != nil {
			t.Fatal(err)
		}
		return f
	}
	r, w := pair(t, kind)
	go func() {
		defer w.Close()
		if size == 0 {
			size = max(1, len(data))
		}
		for len(data) > 0 {
			n, err := w.Write(data[:min(size, len(data))])
			if err != nil {
				return
			}
			data = data[n:]
		}
	}()
	return r
}

// output is a descriptor to write to, and what was written, once it is not
// written to any more.
func output(t testing.TB, kind string) (w *os.File, collect func() []byte) {
	t.Helper()
	if kind == "file" || kind == "append" {
		flags := 0
		if kind == "append" {
			flags = os.O_APPEND
		}
		w := tempFile(t, flags)
		return w, func() []byte {
			defer w.Close()
			b, err := io.ReadAll(io.NewSectionReader(w, 0, 1<<40))
			if err != nil {
				t.Error(err)
			}
			return b
		}
	}
	r, w := pair(t, kind)
	done := make(chan []byte)
	go func() {
		b, _ := io.ReadAll(r)
		r.Close()
		done <- b
	}()
	return w, func() []byte {
		w.Close()
		return <-done
	}
}

// receive receives a stream over a route.
func (ro route) receive(t testing.TB, b []byte, size int) ([]byte, Trailer, error) {
	t.Helper()
	in := input(t, ro.in, b, size)
	defer in.Close()
	out, collect := output(t, ro.out)
	trailer, err := Receive(context.Background(), ReceiveOptions{In: in, Out: out, Stall: time.Minute, Plain: ro.plain})
	return collect(), trailer, err
}

// send sends data over a route.
func (ro route) send(t testing.TB, sum Checksum, data []byte, size int) ([]byte, error) {
	t.Helper()
	in := input(t, ro.in, data, size)
	defer in.Close()
	out, collect := output(t, ro.out)
	_, err := Send(context.Background(), SendOptions{In: in, Out: out, Checksum: sum, Plain: ro.plain})
	return collect(), err
}

// Every route moves the same bytes, whatever the pieces that they come in,
// and the plain Reader is the oracle.
func TestRoutes(t *testing.T) {
	for _, ro := range routes {
		t.Run(ro.name, func(t *testing.T) {
			t.Parallel()
			for _, sum := range []Checksum{None, CRC32C} {
				for _, size := range []int{1, 7, 1000, 2100, 0} {
					ro.roundTrip(t, sum, size)
				}
			}
		})
	}
}

func (ro route) roundTrip(t *testing.T, sum Checksum, size int) {
	t.Helper()
	n := map[int]int{1: 2_000, 7: 10_000, 1000: 300_000, 2100: 700_000, 0: 2*MaxData + 12345}[size]
	data := randomBytes(n)
	framed, err := ro.send(t, sum, data, size)
	if err != nil {
		t.Fatalf("%v, pieces of %d: send: %v", sum, size, err)
	}
	got, _, rest, err := readAll(framed)
	if err != nil || rest != 0 || !bytes.Equal(got, data) {
		t.Fatalf("%v, pieces of %d: sent %d bytes, the reader has %d, %d left, error %v", sum, size, len(data), len(got), rest, err)
	}
	// Once as it was sent, and once in the largest frames.
	for _, b := range [][]byte{framed, stream(t, sum, data)} {
		got, trailer, err := ro.receive(t, b, size)
		if err != nil || trailer.Bytes != uint64(len(data)) || !bytes.Equal(got, data) {
			t.Errorf("%v, pieces of %d: received %d of %d bytes, trailer %+v, error %v", sum, size, len(got), len(data), trailer, err)
		}
	}
}

// One byte behind the trailer is not ours, and the next stream is another.
func TestStopsBehindTheTrailer(t *testing.T) {
	for _, ro := range routes {
		if ro.in == "file" {
			continue // the position in a file is tested with the others below
		}
		for _, sum := range []Checksum{None, CRC32C} {
			one, two := randomBytes(MaxData+3), []byte("second")
			b := append(append(stream(t, sum, one), stream(t, sum, two)...), "plain text"...)
			in := input(t, ro.in, b, 0)
			for _, want := range [][]byte{one, two} {
				out, collect := output(t, ro.out)
				_, err := Receive(context.Background(), ReceiveOptions{In: in, Out: out, Plain: ro.plain})
				if got := collect(); err != nil || !bytes.Equal(got, want) {
					t.Errorf("%s, %v: %d of %d bytes, error %v", ro.name, sum, len(got), len(want), err)
				}
			}
			if rest, err := io.ReadAll(in); string(rest) != "plain text" {
				t.Errorf("%s, %v: %q is left (%v)", ro.name, sum, rest, err)
			}
			in.Close()
		}
	}
}

// No flag of a descriptor is changed, whether it waits or not.
func TestLeavesFlags(t *testing.T) {
	for _, ro := range routes {
		for _, nonblocking := range []bool{false, true} {
			in := input(t, ro.in, stream(t, CRC32C, []byte("abc")), 0)
			out, collect := output(t, ro.out)
			before := [2]int{}
			for i, f := range []*os.File{in, out} {
				p, _ := newPort(f)
				unix.SetNonblock(p.fd, nonblocking)
				before[i], _ = unix.FcntlInt(uintptr(p.fd), unix.F_GETFL, 0)
			}
			_, err := Receive(context.Background(), ReceiveOptions{In: in, Out: out, Plain: ro.plain})
			for i, f := range []*os.File{in, out} {
				p, _ := newPort(f)
				if after, _ := unix.FcntlInt(uintptr(p.fd), unix.F_GETFL, 0); after != before[i] {
					t.Errorf("%s: descriptor %d had the flags %#x and has %#x", ro.name, i, before[i], after)
				}
			}
			if got := collect(); err != nil || string(got) != "abc" {
				t.Errorf("%s, nonblocking %v: %q, error %v", ro.name, nonblocking, got, err)
			}
			in.Close()
		}
	}
}

func TestEmptyInput(t *testing.T) {
	for _, ro := range routes {
		if got, _, err := ro.receive(t, nil, 0); !errors.Is(err, ErrCut) || len(got) > 0 {
			t.Errorf("%s: %d bytes, error %v", ro.name, len(got), err)
		}
		framed, err := ro.send(t, CRC32C, nil, 0)
		if data, _, _, rerr := readAll(framed); err != nil || rerr != nil || len(data) != 0 {
			t.Errorf("%s: error %v, and in what was sent %v", ro.name, err, rerr)
		}
	}
}
