package job

import (
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// A sink that lists what is below a copy, and not the copy itself, lies: what is
// below would be made below a target that nobody has judged.
func TestListedWithoutTop(t *testing.T) {
	f := &far{Restore: &Restore{Recursive: true, copy: "v/c"}, seen: map[string]transfer.Dataset{"v/c/x": {Name: "v/c/x"}, "v/cx": {Name: "v/cx"}}}
	if parts, err := f.listed(); err != nil || len(parts) != 0 {
		t.Errorf("%d parts, %v", len(parts), err)
	}
	f.seen["v/c"] = transfer.Dataset{Name: "v/c"}
	if parts, err := f.listed(); err != nil || len(parts) != 2 || parts[0].Copy != "v/c" || parts[1].Copy != "v/c/x" {
		t.Errorf("%d parts, %v", len(parts), err)
	}
}
