package stream

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Raw reports whether the stream holds blocks as they are encrypted on disk
// (zfs send -w of an encrypted dataset).
func (b Begin) Raw() bool { return b.Features&featureRaw != 0 }

// BigEndian reports whether its sender is a big-endian host.
func (b Begin) BigEndian() bool { return b.order == binary.ByteOrder(binary.BigEndian) }

// Volume reports whether the stream is of a volume, not a filesystem.
func (b Begin) Volume() bool { return b.Objset == objsetVolume }

// CheckContents refuses a stream that is not all of one snapshot, or whose
// blocks do not show what the snapshot holds. A stream with blocks as they are
// compressed on disk depends on a property that may differ on a copy.
func (b Begin) CheckContents() error {
	switch {
	case b.Package:
		return errors.New("it is a package of several streams: send one snapshot, without -R, -I and -p")
	case b.Features&featureResuming != 0:
		return errors.New("it is the rest of an interrupted stream: send the snapshot as a whole, without -t")
	case b.FromGUID != 0:
		return fmt.Errorf("it is incremental, from guid %v: send the snapshot as a whole, without -i", b.FromGUID)
	case b.Features&featureRedacted != 0:
		return errors.New("it is redacted: send the snapshot as a whole, without --redact")
	case b.Features&(featureCompressed|featureZstd) != 0 && !b.Raw():
		return errors.New("its blocks are compressed: send it without -c, and an unencrypted dataset without -w")
	case b.Features&featureEmbedded != 0 && !b.Raw():
		return errors.New("it may hold embedded blocks: send it without -e")
	case b.Objset != objsetFilesystem && b.Objset != objsetVolume:
		return errors.New("it is neither of a filesystem nor of a volume")
	}
	all := Expect{}
	all.Raw, all.LargeBlocks = b.Raw(), true
	return all.judgeFeatures(b.Features)
}
