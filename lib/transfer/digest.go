package transfer

import "github.com/zrepl-tools/zrepl-tools/lib/dataset"

// DigestRequest asks an end for the digest of one of its snapshots, which it
// computes from its own stream; see zdigest(5).
type DigestRequest struct {
	Version int          `json:"version"` // of zdigest(5)
	Dataset string       `json:"dataset"`
	Name    string       `json:"name"` // of the snapshot, without the dataset and the @
	GUID    dataset.GUID `json:"guid"`
	// Raw asks for that of the encrypted blocks; refused if the end's policy says
	// otherwise.
	Raw bool `json:"raw,omitempty"`
	// Groups asks for the digests of the objects in these groups, too, at most
	// MaxObjects.
	Groups []int `json:"groups,omitempty"`
}

// MaxObjects bounds the objects of one Digest.
const MaxObjects = 20_000

// Digest is what a snapshot holds.
type Digest struct {
	Version   int    `json:"version"`
	Sum       string `json:"sum"` // in hexadecimal
	Volume    bool   `json:"volume,omitempty"`
	BigEndian bool   `json:"bigEndian,omitempty"`
	Objects   uint64 `json:"objects"`
	Bytes     uint64 `json:"bytes"` // of data that were hashed
	// Groups are the sums of the groups of objects, for finding those that differ.
	Groups []byte `json:"groups,omitempty"`
	// Each are the objects that were asked for, in the order of their numbers.
	Each []ObjectDigest `json:"each,omitempty"`
	More bool           `json:"more,omitempty"` // there are others, which had no room
}

// ObjectDigest is what one object holds.
type ObjectDigest struct {
	Object uint64 `json:"object"`
	Sum    string `json:"sum"`
}

// RawCopy reports whether a receiver reads its dataset as encrypted blocks: all
// that is encrypted, except what it noted to have come as plain text.
func (d *Dataset) RawCopy() bool {
	came, err := dataset.ParseSendOptions(d.Recorded)
	plain := d.Copy && err == nil && !came.Raw
	return d.Encrypted && !plain
}
