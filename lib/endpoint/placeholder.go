package endpoint

import (
	"context"
	"crypto/sha512"
	"encoding/hex"

	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
)

// ZreplPlaceholder is the mark that zrepl sets on what only carries others:
// "on", or in its 0.0 series a hash of the dataset's name. Copies that zrepl has
// made go on as ours.
const ZreplPlaceholder = "zrepl:placeholder"

// zreplMarked reports whether zrepl's mark is on the dataset itself.
func zreplMarked(d zfs.Dataset) bool {
	mark, name := d.Properties[ZreplPlaceholder], sha512.Sum512_256([]byte(d.Name))
	return d.Type == "filesystem" && mark.Source == "local" && (mark.Value == "on" || mark.Value == hex.EncodeToString(name[:]))
}

// Marked reports whether a dataset has a placeholder's mark of its own, which says
// that it was made to carry others. It judges the properties PlaceholderProperty
// and ZreplPlaceholder.
func Marked(d zfs.Dataset) bool {
	mark := d.Properties[PlaceholderProperty]
	return mark.Value == "on" && mark.Source == "local" || zreplMarked(d)
}

// zreplPlaceholder reports whether zrepl made the dataset as a placeholder and
// nobody has put it to use since: zrepl makes them with mountpoint=none.
func zreplPlaceholder(d zfs.Dataset) bool {
	mountpoint := d.Properties["mountpoint"]
	return zreplMarked(d) && mountpoint.Value == "none" && mountpoint.Source == "local"
}

// clearMarks takes the marks off a placeholder that was received over.
func (r *Receiver) clearMarks(ctx context.Context, name string) error {
	for _, mark := range []string{PlaceholderProperty, ZreplPlaceholder} {
		if err := r.ZFS.Inherit(ctx, mark, name); err != nil {
			return err
		}
	}
	return nil
}
