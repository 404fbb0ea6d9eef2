package main

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// month makes lines of snapshots, some each day of October 2026, which in
// Europe ends with an hour that comes twice.
func month(ds string, n int) (lines string) {
	for i := range n {
		at := time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(i) * 30 * 24 * time.Hour / time.Duration(n))
		lines += fmt.Sprintf("%s@zrepl_%03d\t%d\n", ds, i, at.Unix())
	}
	return lines
}

func TestCalendarOfLines(t *testing.T) {
	h := newHost(t)
	const rule = "daily=2, weekly=2 monthly=2 zone=Europe/Berlin"
	out, errs, status := h.Run(month("p/a", 60), "zprune", "-calendar", rule, "-explain")
	if status != 0 || errs != "" {
		t.Fatalf("status %d, %s", status, errs)
	}
	var kept []string
	for line := range strings.Lines(out) {
		f := strings.Split(strings.TrimSpace(line), "\t")
		if f[0] == "keep" {
			kept = append(kept, strings.TrimPrefix(f[2], "p/a@zrepl_")+" "+f[1])
		}
	}
	// Two a day, at 0 and 12 o'clock in UTC: the first of a day by Berlin's clock
	// is at 2, and from October 25 at 1.
	want := "000 monthly; 036 weekly; 050 weekly; 056 daily; 058 daily; 059 newest"
	if got := strings.Join(kept, "; "); got != want {
		t.Errorf("kept: %s, want %s", got, want)
	}
}

// The lines of one program decide what another one destroys.
func TestCalendarDestroys(t *testing.T) {
	h := newHost(t, "p")
	h.fill(12, "p")
	out, errs, status := h.Run(month("p", 12), "zprune", "-calendar", "weekly=3 zone=UTC", "-destroy")
	if status != 0 || errs != "" || strings.Count(out, "\n") != 8 {
		t.Errorf("status %d, %s%s", status, out, errs)
	}
	h.expect("p@zrepl_005", "p@zrepl_008", "p@zrepl_010", "p@zrepl_011")
}

func TestCalendarOfDatasets(t *testing.T) {
	h := newHost(t, "p")
	h.fill(5, "p")
	// They are of one year, or of two: the first and the newest are left.
	out, errs, status := h.Run("", "zprune", "-calendar", "yearly=9 zone=UTC", "-destroy", "-now", "2100-01-01", "p")
	left := strings.Join(h.Snapshots(), " ")
	if status != 0 || errs != "" || strings.Count(out, "\n") < 2 || !strings.HasPrefix(left, "p@zrepl_000 ") || !strings.HasSuffix(left, " p@zrepl_004") {
		t.Errorf("status %d, %s%s, %s are left", status, out, errs, left)
	}
}

func TestCalendarSimulated(t *testing.T) {
	h := newHost(t)
	args := []string{"zprune", "-simulate", "every 1h for 400d", "-now", "2026-11-15", "-calendar", "hourly=24 daily=35 weekly=8 monthly=12 zone=Europe/Berlin"}
	out, errs, status := h.Run("", args...)
	if status != 0 || errs != "" {
		t.Fatalf("status %d, %s", status, errs)
	}
	// 24 hours, of which one is the first of its day, and 34 days more, of which some
	// begin weeks and months.
	if n := strings.Count(out, "\n"); n < 24+34+2+10 || n > 24+34+4+11 {
		t.Errorf("%d are left:\n%s", n, out)
	}
	if out, _, status := h.Run("", append(args, "-timeline")...); status != 0 || !strings.Contains(out, "\n  monthly") {
		t.Errorf("status %d, %s", status, out)
	}
}

func TestCalendarWrong(t *testing.T) {
	h := newHost(t)
	for rule, want := range map[string]string{
		"daily=3 zone=Europe/Berlim": `byte 14: zone "Europe/Berlim" is not in this host's database of time zones`,
		"days=3":                     "byte 1: expected one of hourly",
		"daily=3 zone=":              "the name of a zone is missing",
	} {
		out, errs, status := h.Run(month("p", 3), "zprune", "-calendar", rule)
		if status != 2 || out != "" || !strings.Contains(errs, want) {
			t.Errorf("%s: status %d, %s%s", rule, status, out, errs)
		}
	}
}

// TestCalendarLocal: the local zone is the host's, whoever asks: another $TZ would
// make another snapshot the first of its day, and destroy the one that was.
func TestCalendarLocal(t *testing.T) {
	h := newHost(t)
	lines := "p@zrepl_1\t1790000000\np@zrepl_2\t1790035000\np@zrepl_3\t1790040000\n" // 14:13, 23:56 and 01:20 in UTC
	said := map[string]bool{}
	for _, zone := range []string{"", "UTC", "Asia/Tokyo", "America/New_York", "Nowhere/AtAll"} {
		h.Env = []string{"TZ=" + zone}
		out, errs, status := h.Run(lines, "zprune", "-calendar", "daily=9")
		if said[out] = true; status != 0 || len(said) > 1 {
			t.Errorf("%s: status %d, %q%s", zone, status, out, errs)
		}
	}
}
