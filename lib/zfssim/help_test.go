package zfssim

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestHelp: zfs-sim -h needs no directory, and names each variable that the
// package reads. The name zfs has the options of zfs.
func TestHelp(t *testing.T) {
	none := func(string) string { return "" }
	var out, errs strings.Builder
	if code := Run(Command{Args: []string{"/x/zfs-sim", "-h"}, Env: none, Stdout: &out, Stderr: &errs}); code != 0 || errs.String() != "" {
		t.Errorf("%d, %s", code, errs.String())
	}
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	name := regexp.MustCompile(`ZFS_SIM_[A-Z]+`)
	for _, variable := range slices.Compact(slices.Sorted(slices.Values(name.FindAllString(string(doc), -1)))) {
		if !strings.Contains(out.String(), "  "+variable+" ") {
			t.Errorf("%s is not in %s", variable, out.String())
		}
	}
	out.Reset()
	if code := Run(Command{Args: []string{"/x/zfs", "-h"}, Env: none, Stdout: &out, Stderr: &errs}); code == 0 || out.String() != "" {
		t.Errorf("zfs -h: %d, %s", code, out.String())
	}
}
