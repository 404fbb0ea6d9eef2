package zfs

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
)

// The first record of a stream, DRR_BEGIN (OpenZFS, sys/zfs_ioctl.h). Records
// are written in the sender's byte order.
const (
	drrSize       = 312         // of every record
	drrBegin      = 0           // drr_type
	drrMagic      = 0x2f5bacbac // of drr_begin
	drrNameAt     = 56          // drr_toname, to the end of the record
	drrSubstream  = 1           // header type, the two lowest bits of drr_versioninfo
	drrCompound   = 2
	maxDRRPayload = 8 << 20
)

// Begin is what a stream says of itself in its first record. It comes from
// the sender, which need not be a friend.
type Begin struct {
	Compound bool // a package of streams (send -R, -I, -p); otherwise one plain stream
	Features uint64
	Flags    uint32
	ToGUID   dataset.GUID
	FromGUID dataset.GUID // 0: a full stream
	ToName   string       // the snapshot's full name on the sender
	Payload  int          // bytes that belong to the record, behind it

	order binary.ByteOrder
}

var errNoStream = errors.New("not a stream of zfs send")

// ParseBegin reads the first record of a stream of either byte order. It
// needs 312 bytes.
func ParseBegin(b []byte) (Begin, error) {
	if len(b) < drrSize {
		return Begin{}, errNoStream
	}
	var order binary.ByteOrder = binary.LittleEndian
	if order.Uint64(b[8:]) != drrMagic {
		order = binary.BigEndian
	}
	if order.Uint64(b[8:]) != drrMagic || order.Uint32(b) != drrBegin {
		return Begin{}, errNoStream
	}
	version := order.Uint64(b[16:])
	begin := Begin{
		order:    order,
		Features: version >> 2 & (1<<30 - 1),
		Flags:    order.Uint32(b[36:]),
		ToGUID:   dataset.GUID(order.Uint64(b[40:])),
		FromGUID: dataset.GUID(order.Uint64(b[48:])),
	}
	switch version & 3 {
	case drrSubstream:
	case drrCompound:
		begin.Compound = true
	default:
		return Begin{}, errNoStream
	}
	name, _, terminated := bytes.Cut(b[drrNameAt:drrSize], []byte{0})
	payload := order.Uint32(b[4:])
	if !terminated || payload > maxDRRPayload {
		return Begin{}, errNoStream
	}
	begin.ToName, begin.Payload = string(name), int(payload)
	return begin, nil
}

// Expect says which stream may pass: one plain stream between just these
// versions.
type Expect struct {
	To   dataset.GUID
	From dataset.GUID // 0: a full stream
	// Chain also lets the package of zfs send -I pass: plain streams of one
	// filesystem, one behind the other, the first of them from From.
	Chain bool
	// Properties also lets the package of zfs send -p pass, of one filesystem.
	Properties bool
}

// ParseExpect reads "to=GUID", and behind it "from=GUID", "chain" and
// "properties", joined by commas; guids in decimal as zfs(8) prints them.
func ParseExpect(s string) (Expect, error) {
	var e Expect
	for word := range strings.SplitSeq(s, ",") {
		switch {
		case word == "chain" && !e.Chain:
			e.Chain = true
			continue
		case word == "properties" && !e.Properties:
			e.Properties = true
			continue
		}
		key, value, _ := strings.Cut(word, "=")
		guid, err := dataset.ParseGUID(value)
		switch {
		case err != nil:
			return e, err
		case key == "to" && e.To == 0:
			e.To = guid
		case key == "from" && e.From == 0:
			e.From = guid
		default:
			return e, fmt.Errorf("%q is not to=GUID, from=GUID, chain or properties, each once", word)
		}
	}
	if e.To == 0 {
		return e, errors.New("to=GUID is missing")
	}
	return e, nil
}

// Inspect looks at the beginning of a stream. It returns how many bytes of it
// it needs, and when it has them an error unless the stream is the expected
// one.
func (e Expect) Inspect(beginning []byte) (need int, err error) {
	if len(beginning) < drrSize {
		return drrSize, nil
	}
	b, err := ParseBegin(beginning)
	switch {
	case err != nil:
		return 0, err
	case b.Compound:
		return e.inspectPackage(b, beginning)
	case b.ToGUID != e.To:
		return 0, fmt.Errorf("it sends the snapshot with guid %v, not %v", b.ToGUID, e.To)
	case b.FromGUID != e.From && e.From == 0:
		return 0, fmt.Errorf("it is incremental from guid %v, not full", b.FromGUID)
	case b.FromGUID != e.From:
		return 0, fmt.Errorf("it is from guid %v, not %v", b.FromGUID, e.From)
	}
	return 0, nil
}
