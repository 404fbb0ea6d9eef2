package transport

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

const somebody = 65534

// foreignDir is another user's socket directory, beside a file of ours. It
// needs root: nobody else can listen for another user.
func foreignDir(t *testing.T) (dir, precious string, ok bool) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Log("only root can listen in another user's directory")
		return "", "", false
	}
	above := sockDir(t)
	dir, precious = filepath.Join(above, "d"), filepath.Join(above, "precious")
	err := errors.Join(os.Mkdir(dir, 0o700), os.Chown(dir, somebody, somebody), os.WriteFile(precious, []byte("x"), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	return dir, precious, true
}

func owner(t *testing.T, path string) int {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return int(info.Sys().(*syscall.Stat_t).Uid)
}

// TestForeignSocket: root's socket in another user's directory is that user's
// and works, and nothing else is left there.
func TestForeignSocket(t *testing.T) {
	dir, _, ok := foreignDir(t)
	if !ok {
		return
	}
	path := filepath.Join(dir, "client")
	for range 2 { // the second time over what a crash has left
		l, err := ListenUnix(path)
		if err != nil {
			t.Fatal(err)
		}
		if uid := owner(t, path); uid != somebody {
			t.Errorf("the socket belongs to %d", uid)
		}
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
		entries, err := os.ReadDir(dir)
		if len(entries) != 2 || err != nil {
			t.Errorf("%v, %v", entries, err)
		}
		l.UnixListener.Close()
		l.lock.Close()
	}
	l, err := ListenUnix(path)
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if _, err := os.Lstat(path); err == nil {
		t.Error("the socket is still there")
	}
}

// TestForeignRace plays the directory's owner, who puts hard links to root's
// file in the place of what appears: the file stays root's.
func TestForeignRace(t *testing.T) {
	dir, precious, ok := foreignDir(t)
	if !ok {
		return
	}
	path := filepath.Join(dir, "client")
	for name, play := range map[string]func(){
		"socket": func() {
			if info, err := os.Lstat(path); err == nil && info.Mode().Type() == os.ModeSocket {
				os.Remove(path)
				os.Link(precious, path)
			}
			os.Remove(path)
		},
		"workshop": func() {
			news, _ := filepath.Glob(filepath.Join(dir, ".new-*"))
			for _, name := range news {
				os.Rename(name, name+"x")
				os.Mkdir(name, 0o777)
				os.Link(precious, filepath.Join(name, socketName))
			}
		},
	} {
		stop := make(chan struct{})
		var player sync.WaitGroup
		player.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					play()
				}
			}
		})
		listened, refused := 0, 0
		for range 400 {
			l, err := ListenUnix(path)
			if err != nil {
				refused++
				continue
			}
			listened++
			l.Close()
			if owner(t, precious) != 0 {
				break
			}
		}
		close(stop)
		player.Wait()
		if uid := owner(t, precious); uid != 0 {
			t.Errorf("%s: root's file belongs to %d after %d times", name, uid, listened)
		}
		t.Logf("%s: listened %d times, refused %d times", name, listened, refused)
		if err := errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o700), os.Chown(dir, somebody, somebody)); err != nil {
			t.Fatal(err)
		}
	}
}

// TestBadLock: what stands in the lock's place is neither waited for nor
// touched.
func TestBadLock(t *testing.T) {
	for name, put := range map[string]func(path, precious string) error{
		"directory": func(path, _ string) error { return os.Mkdir(path, 0o700) },
		"fifo":      func(path, _ string) error { return unix.Mkfifo(path, 0o600) },
		"symlink":   func(path, precious string) error { return os.Symlink(precious, path) },
		"hard link": func(path, precious string) error { return os.Link(precious, path) },
	} {
		above := sockDir(t)
		dir, precious := filepath.Join(above, "d"), filepath.Join(above, "precious")
		err := errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(precious, []byte("x"), 0o600), put(filepath.Join(dir, ".client.lock"), precious))
		if err != nil {
			t.Fatal(err)
		}
		l, err := ListenUnix(filepath.Join(dir, "client"))
		if err == nil {
			l.Close()
			t.Errorf("%s: taken for a lock", name)
		} else if !strings.Contains(err.Error(), "cannot listen at") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
