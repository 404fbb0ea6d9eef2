// Package stream reads what zfs send writes and what a resume token says, and
// judges both.
//
// It promises that a stream which it accepts is nothing but what was asked
// for: the snapshots between the given guids, in order, in plain substreams
// whose first record holds nothing that zfs receive could take for another
// wish. A package of zfs send -I is taken apart, so that zfs receive never
// sees one. The package runs no command, and it does not check the data: a
// record's own checksum is for zfs receive.
//
// The formats are those of OpenZFS: sys/zfs_ioctl.h (records), dmu_recv.c and
// libzfs_sendrecv.c (their use), dsl_dataset.c (resume tokens).
package stream
