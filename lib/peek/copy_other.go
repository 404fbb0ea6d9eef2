//go:build !linux

package peek

import "os"

// syncsTrees: no call writes all of a tree to the disk, and each file is written.
const syncsTrees = false

func syncTree(*os.Root) error { return nil }

func (s *stage) rename(from, to int, base string) error { return s.renameByLink(from, to, base) }

// attributes are copied on Linux alone.
func (c *Copier) attributes(_, _ *os.File, _ string, _ bool) {}
