package replicate

import (
	"fmt"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
)

// keyStays refuses to move a copy if it, or what is below it, has the key of a raw
// copy that does not move along: a stream to that would make it unreadable. The
// receiver refuses it, too.
func (v *view) keyStays(name string, order ordered) error {
	for _, ds := range append([]string{name}, order.below(name)...) {
		root := v.targets[ds].KeyRoot
		if root == "" || dataset.Within(root, name) {
			continue
		}
		if sent, err := dataset.ParseSendOptions(v.targets[root].Recorded); err == nil && sent.Raw {
			return fmt.Errorf("%q has the key of the raw copy %q, which a stream can change: first give it one of its own: zfs change-key -o keyformat=passphrase -o keylocation=prompt %s",
				ds, root, ds)
		}
	}
	return nil
}
