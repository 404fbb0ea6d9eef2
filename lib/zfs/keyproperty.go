package zfs

import "github.com/zrepl-tools/zrepl-tools/lib/property"

// keyProperty reports whether a raw stream alone decides about the property:
// zfs receive refuses -o and -x for it.
func keyProperty(name string) bool {
	switch property.Full(name) {
	case "encryption", "keyformat", "keylocation", "pbkdf2iters":
		return true
	}
	return false
}
