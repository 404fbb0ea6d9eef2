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
//
// # The directory
//
// Everything is below $ZFS_SIM_ROOT. A filesystem is mounted as a directory at
// its mountpoint below mnt (or below the pool's altroot, zpool create -R), with
// its snapshots in .zfs/snapshot there; zfs get mountpoint says the whole path.
// A volume is the file dev/zvol/NAME. A pool is pools/NAME, a dataset a
// directory in its ds with the children inside: @meta has what it is, @snaps
// its snapshots and bookmarks, a line each, @zfs/snapshot their frozen trees
// (files that did not change are hard links), @marks those of bookmarks,
// @recv a receive that is not complete, @live what is not mounted. An
// unmounted dataset without changes has no @live; what is not there is empty.
//
// Commands that look take the file lock shared, those that change something
// exclusively. A change is staged in tmp, written down in journal, and decided
// when that has its name; whoever next opens the directory finishes it.
// Streams move without the lock: a send holds a lock on the directory of its
// snapshot, a receive one on a file in receiving, and both vanish with them.
//
// # The environment
//
// ZFS_SIM_ROOT is the directory, ZFS_SIM_VERSION the OpenZFS to be like (2.1,
// 2.4 or 2.3, the default), ZFS_SIM_FAULTS rules for faults, ZFS_SIM_LOG a file for
// the log of all commands, ZFS_SIM_USER the user for whom zfs allow counts,
// ZFS_SIM_NOW the time in seconds since 1970, for snapshots and holds, and
// ZFS_SIM_CHANGED that for snapshots_changed.
package zfssim
