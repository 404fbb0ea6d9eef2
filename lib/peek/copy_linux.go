package peek

import (
	"errors"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// syncsTrees: one call writes all of a tree to the disk.
const syncsTrees = true

func syncTree(at *os.Root) error {
	dir, err := at.Open(".")
	if err != nil {
		return err
	}
	defer dir.Close()
	return unix.Syncfs(int(dir.Fd()))
}

// rename gives a whole copy its name. Not each filesystem can do that in one step.
func (s *stage) rename(from, to int, base string) error {
	err := unix.Renameat2(from, inStage, to, base, unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
		return s.renameByLink(from, to, base)
	}
	return taken(err)
}

// attributes copies extended attributes, and with them ACLs. Those of security
// modules are for the modules of this host to give.
func (c *Copier) attributes(out, in *os.File, path string, capable bool) {
	names, err := readAttribute(func(b []byte) (int, error) { return unix.Flistxattr(int(in.Fd()), b) })
	if err != nil && !errors.Is(err, unix.ENOTSUP) {
		c.note("cannot keep the extended attributes of %q: %v", path, err)
	}
	for name := range strings.SplitSeq(string(names), "\x00") {
		if name == "" || strings.HasPrefix(name, "security.") && (name != capability || !capable) {
			if name == capability {
				c.note("dropped the capabilities of %q", path)
			}
			continue
		}
		value, err := readAttribute(func(b []byte) (int, error) { return unix.Fgetxattr(int(in.Fd()), name, b) })
		if err == nil {
			err = unix.Fsetxattr(int(out.Fd()), name, value, 0)
		}
		if err != nil {
			c.note("cannot keep the extended attribute %q of %q: %v", name, path, err)
		}
	}
}

const capability = "security.capability"

// readAttribute asks for a size first, and again if that has grown.
func readAttribute(read func([]byte) (int, error)) ([]byte, error) {
	for {
		n, err := read(nil)
		if n <= 0 || err != nil {
			return nil, err
		}
		b := make([]byte, n)
		if n, err = read(b); !errors.Is(err, unix.ERANGE) {
			return b[:max(n, 0)], err
		}
	}
}
