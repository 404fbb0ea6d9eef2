package zfssim

import (
	"path/filepath"
	"testing"
)

// TestRawKeyIsTakenAsItIs has a key of bytes that look like white space.
func TestRawKeyIsTakenAsItIs(t *testing.T) {
	s := newSandbox(t, "src")
	file := filepath.Join(s.root, "key")
	write(t, file, "\n23456789 123456789 123456789 1\t")
	s.ok("zfs", "create", "-o", "encryption=on", "-o", "keyformat=raw", "-o", "keylocation=file://"+file, "src/a")
	s.ok("zfs", "unmount", "src/a")
	s.ok("zfs", "unload-key", "src/a")
	s.ok("zfs", "load-key", "src/a")
}
