package zone

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestFind(t *testing.T) {
	zone, err := Find("Europe/Berlin")
	if err != nil || zone.String() != "Europe/Berlin" {
		t.Fatalf("%v, %v", zone, err)
	}
	if zone, err := Find("UTC"); err != nil || zone.String() != "UTC" {
		t.Errorf("%v, %v", zone, err)
	}
	for name, want := range map[string]string{
		"Europe/Berlim": `zone "Europe/Berlim" is not in this host's database of time zones`,
		"Local":         `zone "Local": leave the zone out for the local one`,
		"../etc/passwd": `zone "../etc/passwd" is not in this host's database of time zones`,
		"/etc/passwd":   `zone "/etc/passwd" is not in this host's database of time zones`,
		"CET-1CEST":     `zone "CET-1CEST" is not in this host's database of time zones`,
	} {
		if zone, err := Find(name); err == nil || err.Error() != want {
			t.Errorf("%q: %v, %v, want %s", name, zone, err, want)
		}
	}
}

// The local zone is the host's, and never a guess.
func TestLocal(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	// tzfile(5), version 1: one type, 9 hours east of UTC, called JST.
	tokyo := "TZif" + strings.Repeat("\x00", 16+4*4) + "\x00\x00\x00\x01\x00\x00\x00\x04" + "\x00\x00\x7e\x90\x00\x00" + "JST\x00"
	for name, text := range map[string]string{"bad": "no zone", "tokyo": tokyo} {
		if err := os.WriteFile(at(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for link, target := range map[string]string{"dangling": "gone", "linked": "tokyo"} {
		if err := os.Symlink(target, at(link)); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("TZ", "America/Los_Angeles")
	for name, want := range map[string]int{"none": 0, "tokyo": 9 * 3600, "linked": 9 * 3600, "dangling": -1, "bad": -1} {
		zone, err := own(at(name))
		if err != nil || want < 0 {
			if err == nil || want >= 0 {
				t.Errorf("%s: %v, %v", name, zone, err)
			}
			continue
		}
		if _, offset := time.Unix(0, 0).In(zone).Zone(); offset != want {
			t.Errorf("%s: %d, not %d", name, offset, want)
		}
	}
}
