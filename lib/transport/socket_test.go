package transport

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
)

// TestListenAtOnce has several come to a socket at which nobody listens any
// more: one of them gets it.
func TestListenAtOnce(t *testing.T) {
	path := filepath.Join(sockDir(t), "control")
	for range 300 {
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
		if err != nil {
			t.Fatal(err)
		}
		l.SetUnlinkOnClose(false)
		l.Close()
		var wg sync.WaitGroup
		var mu sync.Mutex
		var got []*Socket
		for range 3 {
			wg.Go(func() {
				l, err := ListenUnix(path)
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					got = append(got, l)
				} else if !errors.Is(err, ErrInUse) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if len(got) != 1 {
			t.Fatalf("%d listen", len(got))
		}
		got[0].Close()
		if _, err := os.Lstat(path); err == nil {
			t.Fatal("the socket is still there")
		}
	}
}

// TestCloseAnothers: who ends leaves a socket alone that is not its own.
func TestCloseAnothers(t *testing.T) {
	path := filepath.Join(sockDir(t), "control")
	l, err := ListenUnix(path)
	if err != nil {
		t.Fatal(err)
	}
	os.Remove(path)
	other, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	l.Close()
	if conn, err := net.Dial("unix", path); err != nil {
		t.Error(err)
	} else {
		conn.Close()
	}
}

// TestCloseWhileStarting: a socket that was closed can be listened at again at
// once, also while a process that is just being started has a copy of its lock.
func TestCloseWhileStarting(t *testing.T) {
	path := filepath.Join(sockDir(t), "control")
	first, err := ListenUnix(path)
	if err != nil {
		t.Fatal(err)
	}
	copied, err := syscall.Dup(int(first.lock.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(copied)
	first.Close()
	second, err := ListenUnix(path)
	if err != nil {
		t.Fatal(err)
	}
	second.Close()
}
