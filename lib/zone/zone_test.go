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

func TestLocal(t *testing.T) {
	t.Setenv("TZ", "")
	if zone, err := Find(""); err != nil || zone != time.Local {
		t.Errorf("%v, %v", zone, err)
	}
	t.Setenv("TZ", "CET-1CEST")
	if _, err := Find(""); err == nil || !strings.Contains(err.Error(), "$TZ") {
		t.Errorf("a zone that Go cannot read: %v", err)
	}
	dir := t.TempDir()
	bad := filepath.Join(dir, "bad")
	if err := os.WriteFile(bad, []byte("no zone"), 0o600); err != nil {
		t.Fatal(err)
	}
	none := filepath.Join(dir, "none")
	for _, c := range []struct {
		tz   string
		set  bool
		file string
		good bool
	}{
		{"", false, none, true}, {"", false, bad, false}, {"", true, bad, true}, {"UTC", true, bad, true}, {":UTC", true, bad, true},
		{"Asia/Tokyo", true, bad, true}, {":Asia/Tokyo", true, bad, true}, {"Asia/Tokio", true, bad, false},
		{bad, true, none, false}, {none, true, none, false},
	} {
		if err := checkLocal(c.tz, c.set, c.file); (err == nil) != c.good {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
