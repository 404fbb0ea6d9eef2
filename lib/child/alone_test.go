package child

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A program that is to be alone gets nothing that is not closed by itself.
func TestAlone(t *testing.T) {
	f, err := os.Create(t.TempDir() + "/lock")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD, 50) // not close-on-exec, as what a parent passes on
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	for _, alone := range []bool{false, true} {
		out, err := os.Create(t.TempDir() + "/out")
		if err != nil {
			t.Fatal(err)
		}
		p, err := Start(t.Context(), Cmd{Args: []string{"sh", "-c", `[ -e /dev/fd/` + strconv.Itoa(fd) + ` ] && echo has; echo done`}, Stdout: out, Stderr: &Tail{}, Alone: alone})
		if err != nil {
			t.Fatal(err)
		}
		p.Wait()
		b, _ := os.ReadFile(out.Name())
		out.Close()
		if said := string(b); !strings.HasSuffix(said, "done\n") || strings.Contains(said, "has") == alone {
			t.Errorf("alone %v: %q", alone, said)
		}
	}
}
