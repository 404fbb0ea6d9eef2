package endpoint

import (
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
)

// Only what zreplctl noted at the copy itself says that it came as plain text.
func TestCameAsText(t *testing.T) {
	for noted, want := range map[zfs.Property]bool{
		{Value: "L", Source: "inherited from p/x"}:    true,
		{Value: "L", Source: "inherited from p"}:      false,
		{Value: "L", Source: "received"}:              false,
		{Value: "wL", Source: "inherited from p/x"}:   false,
		{Value: "junk", Source: "inherited from p/x"}: false,
		{}: false,
	} {
		if got := cameAsText("p/x", noted); got != want {
			t.Errorf("%+v: %t", noted, got)
		}
	}
}
