package crash

import (
	"errors"
	"io"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// importCopy makes w a copy of from, on real ZFS: of the files below the pools.
func (w *world) importCopy(t *testing.T, from *world) {
	t.Helper()
	for _, pool := range []string{"src", "dst"} {
		w.sim("zpool", "export", "-f", pool)
		if err := copySparse(w.path(pool+".img"), from.path(pool+".img")); err != nil {
			t.Fatal(err)
		}
	}
	for _, pool := range []string{"src", "dst"} {
		w.must(t, "zpool", "import", "-N", "-d", w.dir, pool)
	}
	t.Cleanup(func() { w.sim("zpool", "export", "-f", "src"); w.sim("zpool", "export", "-f", "dst") })
}

// discard frees what a copy takes.
func (w *world) discard() {
	os.Remove(w.path("src.img"))
	os.Remove(w.path("dst.img"))
}

// copySparse copies what is in a file, and not its holes.
func copySparse(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	defer out.Close()
	for at := int64(0); ; {
		begin, err := unix.Seek(int(in.Fd()), at, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) { // nothing but holes up to the end
			size, err := in.Seek(0, io.SeekEnd)
			return errors.Join(err, out.Truncate(size))
		}
		if err != nil {
			return err
		}
		if at, err = unix.Seek(int(in.Fd()), begin, unix.SEEK_HOLE); err != nil {
			return err
		}
		if _, err := out.Seek(begin, io.SeekStart); err != nil {
			return err
		}
		if _, err := io.Copy(out, io.NewSectionReader(in, begin, at-begin)); err != nil {
			return err
		}
	}
}
