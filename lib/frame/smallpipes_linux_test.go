package frame

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// smallPipesUser is nobody in particular, whose pipes are all used up by us.
const smallPipesUser = 61234

// Everything works for a user whose pipes cannot be enlarged any more, and of
// whom a new one holds two pages.
func TestSmallPipes(t *testing.T) {
	if os.Getenv("ZFRAME_TEST_SMALL_PIPES") != "" {
		usePipesUp(t)
		t.Run("routes", TestRoutes)
		t.Run("behind", TestStopsBehindTheTrailer)
		t.Run("damage", TestDamageInLargeFrames)
		t.Run("golden", TestGoldenRead)
		return
	}
	dir, err := os.MkdirTemp("", "zframe-test")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	// Another user may not be able to reach the test where it is.
	program := filepath.Join(dir, "test")
	copyProgram(t, program)
	copyTestdata(t, dir)
	c := exec.Command(program, "-test.run=^TestSmallPipes$", "-test.v", "-test.timeout=10m")
	c.Dir = dir
	c.Env = append(os.Environ(), "ZFRAME_TEST_SMALL_PIPES=1")
	if os.Getuid() == 0 {
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: smallPipesUser, Gid: smallPipesUser}}
	}
	out, err := c.CombinedOutput()
	if err != nil {
		t.Error(err)
	}
	t.Logf("%s", out)
}

// usePipesUp holds pipes until no more may be enlarged.
func usePipesUp(t *testing.T) {
	for range 10_000 {
		p, err := newPipe()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(p.close)
		if p.size < 64<<10 {
			size, _ := unix.FcntlInt(uintptr(p.r), unix.F_GETPIPE_SZ, 0)
			t.Logf("a new pipe holds %d bytes", size)
			return
		}
	}
	t.Fatal("pipes can be enlarged without an end")
}

func copyProgram(t *testing.T, to string) {
	t.Helper()
	own, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	in, err := os.Open(own)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}

func copyTestdata(t *testing.T, dir string) {
	t.Helper()
	if err := os.CopyFS(filepath.Join(dir, "testdata"), os.DirFS("testdata")); err != nil {
		t.Fatal(err)
	}
}
