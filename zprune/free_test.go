package main

import (
	"strings"
	"testing"
)

// says makes zfs answer so when it is asked for the free space of a pool.
func (h *host) says(answer string) {
	h.T.Helper()
	h.Env = []string{"ZREPL_ZFS=" + h.ZFS(`case "$*" in *available*) `+answer+`; exit;; esac`)}
}

func TestFreeBelow(t *testing.T) {
	for _, c := range []struct {
		about, below, says, errs string
		status, left             int
	}{
		{about: "space", below: "10%", says: `printf 'p\t10\t90\n'`, left: 5},
		{about: "short", below: "10%", says: `printf 'p\t9\t91\n'`, left: 2},
		{about: "no space at all", below: "1K", says: `printf 'p\t0\t91\n'`, left: 2},
		{about: "bytes", below: "1K", says: `printf 'p\t1024\t91\n'`, left: 5},
		{about: "failed", below: "10%", says: `echo "cannot open 'p': I/O error" >&2; exit 1`, left: 5, status: 1,
			errs: `cannot find out the free space of pool "p", and destroy nothing there: `},
		{about: "no number", below: "10%", says: `printf 'p\t-\t91\n'`, left: 5, status: 1, errs: `cannot find out the free space of pool "p"`},
		{about: "nothing", below: "10%", says: `true`, left: 5, status: 1, errs: `cannot find out the free space of pool "p"`},
		{about: "another pool", below: "10%", says: `printf 'q\t0\t91\n'`, left: 5, status: 1, errs: `cannot find out the free space of pool "p"`},
		{about: "empty", below: "10%", says: `printf 'p\t0\t0\n'`, left: 5, status: 1, errs: `cannot find out the free space of pool "p"`},
	} {
		t.Run(c.about, func(t *testing.T) {
			h := newHost(t, "p")
			h.fill(5, "p")
			h.says(c.says)
			out, errs, status := h.Run("", "zprune", "-keep-last", "2", "-free-below", c.below, "-destroy", "p")
			if status != c.status || (errs != "") != (c.errs != "") || !strings.Contains(errs, c.errs) || strings.Count(out, "\n") != 5-c.left {
				t.Errorf("status %d, %s%s", status, out, errs)
			}
			if n := len(h.Snapshots()); n != c.left {
				t.Errorf("%d are left, want %d", n, c.left)
			}
		})
	}
}

// A pool of which nothing is known, and one that is short: only this is pruned.
func TestFreeBelowByPool(t *testing.T) {
	h := newHost(t, "p", "q", "r")
	for _, pool := range []string{"p", "q", "r"} {
		h.fill(4, pool)
	}
	h.says(`case "$*" in *p) printf 'p\t1\t99\n';; *q) exit 1;; *r) printf 'r\t99\t1\n';; esac`)
	_, errs, status := h.Run("", "zprune", "-keep-last", "1", "-free-below", "10%", "-destroy", "p", "q", "r")
	if status != 1 || !strings.Contains(errs, `free space of pool "q"`) || strings.Count(errs, "\n") != 1 {
		t.Errorf("status %d, %s", status, errs)
	}
	if got := h.Snapshots(); len(got) != 1+4+4 || got[0] != "p@zrepl_003" {
		t.Errorf("%v are left", got)
	}
}

// What zfs itself says: a pool of 256 MiB, of which some is used.
func TestFreeBelowAsked(t *testing.T) {
	h := newHost(t, "p")
	h.fill(5, "p")
	args := []string{"zprune", "-keep-last", "2", "-destroy"}
	if out, errs, status := h.Run("", append(args, "-free-below", "1M", "p")...); status != 0 || out+errs != "" {
		t.Errorf("with space: status %d, %s%s", status, out, errs)
	}
	out, _, _ := h.Run("", "zprune", "-keep-last", "2", "-free-below", "50%", "-explain", "p")
	if strings.Count(out, "keep\tfree below=50%\t") != 3 {
		t.Errorf("with space:\n%s", out)
	}
	h.Commands()
	if out, errs, status := h.Run("", append(args, "-free-below", "1T", "p")...); status != 0 || errs != "" || strings.Count(out, "\n") != 3 {
		t.Errorf("without space: status %d, %s%s", status, out, errs)
	}
	asked := 0
	for _, command := range h.Commands() {
		if strings.Contains(command, "available") {
			asked++
		}
	}
	if asked != 1 {
		t.Errorf("asked %d times", asked)
	}
	h.expect("p@zrepl_003", "p@zrepl_004")
}

func TestFreeBelowWrong(t *testing.T) {
	h := newHost(t, "p")
	for want, args := range map[string]string{
		"the rule free needs another one":                  "-free-below 10% p",
		"the rule free needs datasets as arguments":        "-free-below 10% -keep-last 1",
		`free space "ten": byte 1: a size must be a whole`: "-free-below ten -keep-last 1 p",
	} {
		if _, errs, status := h.Run("", append([]string{"zprune"}, strings.Fields(args)...)...); status != 2 || !strings.Contains(errs, want) {
			t.Errorf("%q: status %d, %s", args, status, errs)
		}
	}
}

// The simulated life is one without space.
func TestFreeSimulated(t *testing.T) {
	h := newHost(t)
	out, errs, status := h.Run("", "zprune", "-simulate", "every 1h for 100h", "-keep-last", "7", "-free-below", "10%")
	if status != 0 || errs != "" || strings.Count(out, "\n") != 7 {
		t.Errorf("status %d, %s%s", status, out, errs)
	}
}
