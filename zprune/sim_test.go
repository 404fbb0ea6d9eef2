package main

import (
	"fmt"
	"os"
	"slices"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/zfssim/simhost"
)

var bin string // holds zprune, zsnap, zfs and zpool

func TestMain(m *testing.M) {
	os.Exit(simhost.Main(m, &bin, map[string]string{"zprune": ".", "zsnap": "github.com/zrepl-tools/zrepl-tools/zsnap"}))
}

type host struct{ *simhost.Host }

func newHost(t *testing.T, names ...string) *host { return &host{simhost.New(t, bin, names...)} }

// fill gives each dataset n snapshots.
func (h *host) fill(n int, datasets ...string) {
	h.T.Helper()
	for i := range n {
		args := []string{"zfs", "snapshot"}
		for _, ds := range datasets {
			args = append(args, fmt.Sprintf("%s@zrepl_%03d", ds, i))
		}
		h.Must(args...)
	}
	h.Commands()
}

func (h *host) datasets(parent string, n int) []string {
	h.T.Helper()
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("%s/d%02d", parent, i)
		h.Must("zfs", "create", names[i])
	}
	return names
}

func (h *host) expect(want ...string) {
	h.T.Helper()
	got := h.Snapshots()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		h.T.Errorf("there are %v, want %v", got, want)
	}
}
