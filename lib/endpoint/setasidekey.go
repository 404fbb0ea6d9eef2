package endpoint

import (
	"context"
	"fmt"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
)

// Each dataset has its own master key, which is stored wrapped by the key of its
// encryption root. If the source's key changes, the next raw stream to the root's
// copy changes that of the root, and each dataset below gets its own master key
// wrapped anew with its own next stream. What was set aside gets no stream: it could
// never be read again.

// checkKeys refuses what would need the key of a raw copy that does not move along.
func (a *setAside) checkKeys(ctx context.Context) error {
	raw := map[string]bool{}
	for _, d := range a.all {
		root := keyRoot(d)
		if root == "" || dataset.Within(root, a.name) {
			continue
		}
		if _, known := raw[root]; !known {
			marks, err := a.r.ZFS.Settings(ctx, []string{root}, false, []string{SendProperty})
			if err != nil {
				return err
			}
			mark := marks[root][SendProperty]
			sent, err := dataset.ParseSendOptions(mark.Value)
			raw[root] = mark.Source == "local" && err == nil && sent.Raw
		}
		if raw[root] {
			return fmt.Errorf("%q has the key of the raw copy %q, which a stream can change: first give it one of its own: %s %s",
				d.Name, root, ownKey, d.Name)
		}
	}
	return nil
}

// ownKey makes a dataset an encryption root.
const ownKey = "zfs change-key -o keyformat=passphrase -o keylocation=prompt"
