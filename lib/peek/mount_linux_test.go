package peek

import (
	"os"
	"strings"
	"testing"
)

// What is mounted is seen by nobody else, is gone with what keeps it open, and leaves
// no folder even while it is open.
func TestMountAlone(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root mounts")
	}
	dir := t.TempDir()
	program(t, "mount", `for at; do :; done; PATH=/usr/sbin:/usr/bin:/sbin:/bin; mount -n -t tmpfs none "$at" && echo text >"$at/said"`)
	m, _, err := NewMounter(dir)
	must(t, err)
	for range 20 {
		s, err := m.Open(t.Context(), "tank/a@b")
		must(t, err)
		info, err := s.Look("said")
		if kindOf(info) != File || err != nil || s.at != "" || names(t, m.own) != "lock" {
			t.Fatal(info, err, s.at, names(t, m.own))
		}
		mounts, err := os.ReadFile("/proc/thread-self/mounts")
		if err != nil || strings.Contains(string(mounts), dir) {
			t.Fatal("it is to be seen", err)
		}
		must(t, s.Close())
	}
	must(t, m.Close())
}
