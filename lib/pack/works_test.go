package pack

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/zfssim/simhost"
)

// A zstd that is there and does not work is found before it is offered, and may
// be mended while the process runs.
func TestWorks(t *testing.T) {
	tried.good = nil
	defer func() { tried.good = nil }()
	dir := t.TempDir()
	t.Setenv("PATH", dir+":/usr/bin:/bin")
	for script, says := range map[string]string{
		"#!/nonexistent\n": "no such file",
		"#!/bin/sh\necho Incorrect parameters >&2\nexit 1\n":  "Incorrect parameters",
		"#!/bin/sh\nkill -9 $$\n":                             "killed",
		"#!/bin/sh\nexec cat /dev/zero\n":                     "too much",
		"#!/bin/sh\nexit 0\n":                                 "is not what it decompresses",
		"#!/bin/sh\ncase \"$*\" in *-d*) exit 3; esac\ncat\n": "exit status 3",
	} {
		if err := simhost.WriteProgram(filepath.Join(dir, Zstd), script); err != nil {
			t.Fatal(err)
		}
		if err := Method(Zstd).Works(); err == nil || !strings.Contains(err.Error(), "zstd does not work on this host") || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, not %q", script, err, says)
		}
	}
	if err := simhost.WriteProgram(filepath.Join(dir, Zstd), "#!/bin/sh\nexec cat\n"); err != nil {
		t.Fatal(err)
	}
	if err := Method(Zstd).Works(); err != nil {
		t.Error(err)
	}
	t.Setenv("PATH", t.TempDir())
	if err := Method("zstd-2").Works(); err == nil || err.Error() != "this host has no zstd" {
		t.Error(err)
	}
}

func TestFailedWith(t *testing.T) {
	for said, want := range map[string]string{
		"":                 "zstd failed with exit status 1",
		"\n":               "zstd failed with exit status 1",
		"zstd: no space\n": "zstd failed with exit status 1: zstd: no space",
	} {
		if got := failedWith(1, said).Error(); got != want {
			t.Errorf("%q: %q", said, got)
		}
	}
}
