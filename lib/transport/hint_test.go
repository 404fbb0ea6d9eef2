package transport

import (
	"strings"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/child"
)

// TestHintDenied: if a host refuses the key, the hint says what prints the key's
// line, for that host.
func TestHintDenied(t *testing.T) {
	e := &Error{Name: "ssh prod1", Status: child.Status{Code: 255, Stderr: "root@prod1: Permission denied (publickey).\n"}}
	if hint := e.Hint(); !strings.Contains(hint, "zreplctl init -key -host prod1 -client IDENTITY prints it again") {
		t.Error(hint)
	}
}
