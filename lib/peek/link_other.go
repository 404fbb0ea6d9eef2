//go:build !solaris

package peek

import "golang.org/x/sys/unix"

func (s *stage) link(from, to int, base string) error {
	return unix.Linkat(from, inStage, to, base, 0)
}
