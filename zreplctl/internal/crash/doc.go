// Package crash holds tests that kill whole replications at every point where
// they touch ZFS, cut their connections at every frame, and look at what is
// left. It has no code of its own.
package crash
