package peek

import (
	"errors"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

func TestCopyAttributes(t *testing.T) {
	s, dir := snapshot(t)
	write(t, dir+"/file", "text")
	must(t, unix.Setxattr(dir+"/file", "user.note", []byte("kept"), 0))
	must(t, unix.Setxattr(dir+"/file", "user.empty", nil, 0))
	to, notes, err := copied(t, &Copier{}, s, "file")
	must(t, err)
	value := make([]byte, 20)
	n, err := unix.Getxattr(to, "user.note", value)
	_, errEmpty := unix.Getxattr(to, "user.empty", value[10:])
	if err != nil || errEmpty != nil || string(value[:n]) != "kept" || notes != "" {
		t.Error(string(value[:max(n, 0)]), err, errEmpty, notes)
	}
}

// What makes a program mighty is dropped, unless it is asked for.
func TestCopyCapabilities(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root gives files capabilities")
	}
	s, dir := snapshot(t)
	write(t, dir+"/file", "text")
	must(t, os.Chown(dir+"/file", 12345, 54321))
	must(t, unix.Setxattr(dir+"/file", capability, []byte{1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 0))
	for _, keep := range []bool{false, true} {
		to, notes, err := copied(t, &Copier{Setuid: keep}, s, "file")
		must(t, err)
		_, err = unix.Getxattr(to, capability, make([]byte, 100))
		if kept := err == nil; kept != keep || (notes == "") != keep {
			t.Errorf("keep %v: %v, %q", keep, err, notes)
		}
		var stat unix.Stat_t
		must(t, unix.Stat(to, &stat))
		if stat.Uid != 12345 || stat.Gid != 54321 {
			t.Error("owner", stat.Uid, stat.Gid)
		}
	}
}

// A disk that is full leaves nothing behind.
func TestCopyFullDisk(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root mounts a small disk")
	}
	s, dir := snapshot(t)
	write(t, dir+"/t/small", "text")
	write(t, dir+"/t/big", string(make([]byte, 3<<20)))
	to := t.TempDir()
	err := alone(func() error {
		if err := unix.Mount("small", to, "tmpfs", 0, "size=1m"); err != nil {
			return err
		}
		for _, path := range []string{"t", "t/big"} {
			c := &Copier{Recursive: true}
			if err := c.Copy(t.Context(), s, path, to, "x"); !errors.Is(err, unix.ENOSPC) {
				t.Errorf("%q: %v", path, err)
			}
			if list, err := os.ReadDir(to); err != nil || len(list) > 0 {
				t.Errorf("%q left %v, %v", path, list, err)
			}
		}
		return nil
	})
	must(t, err)
	if list, err := os.ReadDir(to); err != nil || len(list) > 0 {
		t.Error(list, err)
	}
}
