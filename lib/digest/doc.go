// Package digest computes one number from what a snapshot holds, so that a copy
// can be compared with its source without sending it.
//
// It reads a stream of zfs send and promises: two snapshots that hold the same
// objects with the same contents have the same digest, and others do not,
// whatever the block sizes, compression, checksums and history of their
// datasets are. A stream that is cut, damaged or not of a whole snapshot is an
// error and never a digest. The memory it needs does not depend on the stream.
//
// The format is that of zdigest(5).
package digest
