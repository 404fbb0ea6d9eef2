package zfs

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
)

// The types of records, and where those that have one say how long the
// payload behind them is (dmu_replay_record in OpenZFS's sys/zfs_ioctl.h, and
// the DRR_*_PAYLOAD_SIZE there).
const (
	drrObject        = 1
	drrFreeObjects   = 2
	drrWrite         = 3
	drrFree          = 4
	drrEnd           = 5
	drrWriteByRef    = 6
	drrSpill         = 7
	drrWriteEmbedded = 8
	drrObjectRange   = 9
	drrRedact        = 10
)

// drrPayload is the length of the payload behind a record other than
// DRR_BEGIN. The field drr_payloadlen is not what zfs receive goes by.
func drrPayload(order binary.ByteOrder, b []byte) (uint64, error) {
	round := func(n uint32) uint64 { return (uint64(n) + 7) &^ 7 }
	switch kind := order.Uint32(b); kind {
	case drrFreeObjects, drrFree, drrEnd, drrWriteByRef, drrObjectRange, drrRedact:
		return 0, nil
	case drrObject:
		if raw := order.Uint32(b[36:]); raw != 0 {
			return uint64(raw), nil
		}
		return round(order.Uint32(b[28:])), nil
	case drrWrite:
		if b[50] != 0 { // compressed
			return order.Uint64(b[96:]), nil
		}
		return order.Uint64(b[32:]), nil
	case drrSpill:
		if n := order.Uint64(b[40:]); n != 0 { // compressed
			return n, nil
		}
		return order.Uint64(b[16:]), nil
	case drrWriteEmbedded:
		return round(order.Uint32(b[52:])), nil
	default:
		return 0, fmt.Errorf("it holds a record of type %d, which is not known", kind)
	}
}

// follower looks at each record of a package.
type follower struct {
	expect   Expect
	record   []byte // as much of it as has come
	skip     uint64 // bytes of payload before the next record
	order    binary.ByteOrder
	state    followState
	dataset  string
	previous dataset.GUID // that the next stream must begin at
}

type followState uint8

const (
	atPackage    followState = iota // its first record comes
	atPackageEnd                    // the end of that
	atStream                        // a plain stream comes, or the end of the package
	inStream
	atEnd // nothing may come
	plain // it is no package: zfs receive reads one stream only
)

// Follow is nil if no package may pass. Otherwise it must be called with all
// of the stream, in pieces of any size, before each is passed on: an error
// refuses the rest. It makes sure that all streams in a package are of one
// dataset and each begins where the one before it ended: zfs receive would
// make new datasets of others.
func (e Expect) Follow() func(piece []byte) error {
	if !e.Chain && !e.Properties {
		return nil
	}
	f := &follower{expect: e, previous: e.From}
	return f.next
}

func (f *follower) next(p []byte) error {
	for len(p) > 0 && f.state != plain {
		if f.skip > 0 {
			n := min(f.skip, uint64(len(p)))
			f.skip -= n
			p = p[n:]
			continue
		}
		n := min(drrSize-len(f.record), len(p))
		f.record = append(f.record, p[:n]...)
		p = p[n:]
		if len(f.record) < drrSize {
			return nil
		}
		if err := f.look(); err != nil {
			return err
		}
		f.record = f.record[:0]
	}
	return nil
}

var errDisorder = errors.New("it holds records in the wrong order")

// look looks at one record.
func (f *follower) look() error {
	switch f.state {
	case atPackage:
		return f.begin()
	case atStream:
		if f.order.Uint32(f.record) == drrBegin { // which is 0 in either order
			return f.begin()
		}
	case atEnd:
		return errors.New("it does not end where the package does")
	}
	kind := f.order.Uint32(f.record)
	switch {
	case kind == drrBegin, f.state != inStream && kind != drrEnd:
		return errDisorder
	case kind == drrEnd:
		f.state = map[followState]followState{atPackageEnd: atStream, inStream: atStream, atStream: atEnd}[f.state]
		return nil
	}
	var err error
	f.skip, err = drrPayload(f.order, f.record)
	return err
}

// begin looks at the beginning of the package, or of a stream in it.
func (f *follower) begin() error {
	b, err := ParseBegin(f.record)
	if err != nil {
		return err
	}
	ds, _, _ := dataset.Split(b.ToName)
	first := f.state == atPackage
	f.skip, f.order = uint64(b.Payload), b.order
	switch {
	case first && !b.Compound:
		f.state = plain
		return nil
	case first:
		f.dataset, f.state = ds, atPackageEnd
		return nil
	case b.Compound:
		return errPackage
	case ds != f.dataset:
		return fmt.Errorf("it is a package for %q with a stream of %q in it", f.dataset, ds)
	case b.FromGUID != f.previous:
		return fmt.Errorf("it holds a stream from guid %v, not %v", b.FromGUID, f.previous)
	case b.ToGUID == f.previous, b.FromGUID == f.expect.To:
		return fmt.Errorf("it goes on behind the snapshot with guid %v", f.previous)
	}
	f.previous, f.state = b.ToGUID, inStream
	return nil
}
