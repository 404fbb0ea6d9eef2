package stream

import (
	"errors"
	"fmt"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
)

// Feature bits of DRR_BEGIN (DMU_BACKUP_FEATURE_*). Those that are not here
// are refused: deduplication, redaction, holds, and what may come.
const (
	featureSpill         = 1 << 2
	featureEmbedded      = 1 << 16
	featureLZ4           = 1 << 17
	featureLargeBlocks   = 1 << 19
	featureResuming      = 1 << 20
	featureRedacted      = 1 << 21
	featureCompressed    = 1 << 22
	featureLargeDnodes   = 1 << 23
	featureRaw           = 1 << 24
	featureZstd          = 1 << 25
	featureHolds         = 1 << 26
	featureToLargeBlocks = 1 << 27 // the first stream with large blocks onto one without
	featureLongNames     = 1 << 28
	featureLargeMicrozap = 1 << 29
	featureDedup         = 1<<0 | 1<<1
)

// Flags of DRR_BEGIN.
const (
	flagClone       = 1 << 0 // it makes a clone of whatever has the guid from
	flagIgnoresCase = 1 << 1
	flagFreeRecords = 1 << 2
	flagSpillBlocks = 1 << 3
)

// maxPayload bounds the payload of DRR_BEGIN: the key data of a raw stream and
// where a resumed one goes on, some hundred bytes.
const maxPayload = 64 << 10

// maxCreated is the end of the year 9999. A snapshot keeps the creation that its
// stream names, and a later one cannot be written as a date.
const maxCreated = 253402300799

var errPackage = errors.New("it is a package of several streams, not a plain one")

// judge accepts the first record of a plain stream that brings snapshot number
// n. Every field is looked at, so that nothing in it is a surprise to zfs
// receive.
func (e Expect) judge(b Begin, n int) error {
	if b.Package {
		return errPackage
	}
	if err := e.judgeGUIDs(b, n); err != nil {
		return err
	}
	if err := e.judgeFeatures(b.Features); err != nil {
		return err
	}
	switch clones := b.Flags&flagClone != 0; {
	case clones && !e.Clone:
		return errors.New("it would make a clone")
	case e.Clone && !clones:
		return errors.New("it would not make a clone")
	}
	if odd := b.Flags &^ (flagClone | flagIgnoresCase | flagFreeRecords | flagSpillBlocks); odd != 0 {
		return fmt.Errorf("it has flags %#x, which are not known", odd)
	}
	if b.Created > maxCreated {
		return fmt.Errorf("its snapshot was created at %d seconds since 1970, after the year 9999", b.Created)
	}
	want, word := uint32(objsetFilesystem), "filesystem"
	if e.Volume {
		want, word = objsetVolume, "volume"
	}
	if b.Objset != want {
		return fmt.Errorf("it is not of a %s", word)
	}
	if ds, kind, short := dataset.Split(b.ToName); kind != dataset.Snapshot || dataset.CheckName(ds) != nil || dataset.CheckShort(short) != nil {
		return fmt.Errorf("it names %q, which is not a snapshot", b.ToName)
	}
	return e.judgePayloadSize(b)
}

func (e Expect) judgeGUIDs(b Begin, n int) error {
	to, from := e.To[n].GUID, e.From
	if n > 0 {
		from = e.To[n-1].GUID
	}
	switch {
	case b.ToGUID != to:
		return fmt.Errorf("it sends the snapshot with guid %v, not %v", b.ToGUID, to)
	case b.FromGUID != from && from == 0:
		return fmt.Errorf("it is incremental from guid %v, not full", b.FromGUID)
	case b.FromGUID != from:
		return fmt.Errorf("it is from guid %v, not %v", b.FromGUID, from)
	}
	return nil
}

func (e Expect) judgeFeatures(features uint64) error {
	if e.Raw && features&featureRaw == 0 {
		return errors.New("it is not raw")
	}
	for _, f := range []struct {
		bit     uint64
		allowed bool
		what    string
	}{
		{featureDedup, false, "deduplicated"},
		{featureRedacted, false, "redacted"},
		{featureHolds, false, "with holds"},
		{featureRaw, e.Raw, "raw"},
		{featureLargeBlocks | featureToLargeBlocks | featureLargeMicrozap, e.LargeBlocks || e.Raw, "with large blocks"},
		{featureCompressed | featureZstd, e.Compressed || e.Raw, "compressed"},
		{featureEmbedded, e.Embedded || e.Raw, "with embedded blocks"},
		{featureLZ4, e.Embedded || e.Compressed || e.Raw, "compressed"},
		{featureResuming, e.Resumed, "resumed"},
		{featureSpill | featureLargeDnodes | featureLongNames, true, ""},
	} {
		if features&f.bit != 0 && !f.allowed {
			return fmt.Errorf("it is %s, which was not asked for", f.what)
		}
		features &^= f.bit
	}
	if features != 0 {
		return fmt.Errorf("it has the features %#x, which are not known", features)
	}
	return nil
}

// judgePayloadSize: only a raw stream brings something with its first record,
// the data of its keys, and a resumed one, where it goes on.
func (e Expect) judgePayloadSize(b Begin) error {
	switch {
	case b.Payload > maxPayload:
		return fmt.Errorf("its first record brings %d bytes: at most %d", b.Payload, maxPayload)
	case b.Payload > 0 && !e.Raw && !e.Resumed:
		return errors.New("its first record brings more than was asked for")
	}
	return nil
}

// judgePayload accepts what the first record brings.
func (e Expect) judgePayload(payload []byte) error {
	pairs, err := decodeNvlist(payload)
	if err != nil {
		return fmt.Errorf("what its first record brings: %w", err)
	}
	for _, p := range pairs {
		switch {
		case e.Raw && p.name == "crypt_keydata" && p.kind == nvList:
		case e.Resumed && p.kind == nvUint64 && (p.name == "resume_object" || p.name == "resume_offset"):
		default:
			return fmt.Errorf("its first record brings %q, which was not asked for", p.name)
		}
	}
	return nil
}

// judgePackage accepts the record that a package begins with. It has no
// payload unless it carries properties or several datasets.
func (e Expect) judgePackage(b Begin) error {
	switch {
	case !b.Package:
		return errors.New("it is one plain stream, not the package of zfs send -I")
	case b.Payload != 0:
		return errors.New("it is a package with properties or of several datasets, which was not asked for")
	}
	return nil
}
