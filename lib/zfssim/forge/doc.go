// Package forge makes send streams that zfs send never would, for tests.
//
// Parse takes a stream apart, record by record; a test changes fields, adds,
// drops and moves records; Bytes writes the stream with right checksums.
// Package wraps streams as zfs send -R, -I and -p do, and Pack makes the
// nvlist in front of them, also one that lies about its sizes.
package forge
