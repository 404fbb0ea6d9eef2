package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestImport: what import prints passes check, and its notes name the lines.
func TestImport(t *testing.T) {
	for args, note := range map[string]string{
		"internal/convert/testdata/zrepl/push.yml":     `zreplctl: internal/convert/testdata/zrepl/push.yml:49: job web to vault: unknown key "colour" ("blue"): left out`,
		"internal/convert/testdata/sanoid/backup.conf": "zreplctl: internal/convert/testdata/sanoid/backup.conf:12: section storage/backups/slow: unknown setting shiny = 1: left out",
	} {
		stdout, stderr, status := zreplctl(t, "", "import", args)
		if status != 0 || !strings.Contains(stderr, note+"\n") {
			t.Fatalf("%s: %d %s", args, status, stderr)
		}
		path := filepath.Join(t.TempDir(), "c.yml")
		if err := os.WriteFile(path, []byte(stdout), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Setenv("ZREPL_ZFS", "/nonexistent")
		if _, stderr, status := zreplctl(t, "", "check", "-config", path); status != 0 {
			t.Errorf("%s: check: %d %s", args, status, stderr)
		}
	}
	stdout, stderr, status := zreplctl(t, "", "import", "-syncoid", "syncoid -r a/x b/y")
	if status != 0 || !strings.Contains(stdout, `"a/x<": b/y`) || !strings.Contains(stderr, "zreplctl: syncoid: ") {
		t.Errorf("syncoid: %d %s%s", status, stdout, stderr)
	}
	stdout, _, status = zreplctl(t, "[tank]\n", "import", "-from", "sanoid", "-")
	if status != 0 || !strings.Contains(stdout, `{type: calendar, hourly: 48, daily: 90, monthly: 6}`) {
		t.Errorf("sanoid's defaults from standard input: %d %s", status, stdout)
	}
}

// TestImportRefused: what would be no valid configuration is not printed.
func TestImportRefused(t *testing.T) {
	stdout, stderr, status := zreplctl(t, "jobs:\n- {name: x, type: pull, root_fs: /no, interval: 1h, connect: {type: tcp, address: \"h:1\"}}\n", "import", "-from", "zrepl", "-")
	if status != 2 || stdout != "" || !strings.Contains(stderr, "zreplctl check refuses what comes out of it") || !strings.Contains(stderr, "mapping: ") {
		t.Errorf("%d %s%s", status, stdout, stderr)
	}
}
