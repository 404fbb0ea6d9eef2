// Package stream reads and judges what zfs send writes, and resume tokens.
//
// It promises that a stream it accepts is only what was asked for: the
// snapshots between the given guids, in order, in plain substreams whose first
// record holds nothing that zfs receive could take for another request. It
// splits a package of zfs send -I, so that zfs receive never sees one. It runs
// no command, and does not check the data: zfs receive checks the checksums of
// records.
//
// The formats are those of OpenZFS: sys/zfs_ioctl.h (records), dmu_recv.c and
// libzfs_sendrecv.c (their use), dsl_dataset.c (resume tokens).
package stream
