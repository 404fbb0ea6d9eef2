// Package zfssim is a zfs(8) and zpool(8) over a directory.
//
// It promises the commands, messages and exit codes of OpenZFS as far as
// replication touches them, real file contents in snapshots and streams, state
// that is atomic under concurrent callers and kill -9 at any moment, and faults
// on demand. scripts/conformance says how far the likeness goes.
//
// It does not promise durability across a loss of power, the space accounting
// of ZFS, or any protection of the data it is given: it is a stand-in for
// tests and demonstrations.
package zfssim
