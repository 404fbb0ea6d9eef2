//go:build !linux

package zfs

// argMax is the least that a system we build for allows for arguments and
// environment together (FreeBSD: kern.argmax, 512 KiB).
func argMax() int { return 512 << 10 }
