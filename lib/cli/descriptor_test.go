package cli

import (
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestDescriptorTwice: a flag that is given twice leaves the descriptor open.
func TestDescriptorTwice(t *testing.T) {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	fd, err := unix.Dup(int(null.Fd())) // without close-on-exec, as one that was passed
	if err != nil {
		t.Fatal(err)
	}
	var d Descriptor
	for range 2 {
		if err := d.Set(strconv.Itoa(fd)); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		runtime.GC()
		time.Sleep(10 * time.Millisecond) // for what closes files
	}
	if _, err := d.File.WriteString("x"); err != nil {
		t.Error(err)
	}
	if err := new(Descriptor).Set(strconv.Itoa(int(null.Fd()))); err == nil {
		t.Error("one of our own was taken for one that was passed")
	}
}
