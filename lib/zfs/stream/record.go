package stream

import (
	"encoding/binary"
	"fmt"
)

// recordSize is the length of every record, without its payload.
const recordSize = 312

// The types of records (dmu_replay_record in sys/zfs_ioctl.h).
const (
	recordBegin         = 0
	recordObject        = 1
	recordFreeObjects   = 2
	recordWrite         = 3
	recordFree          = 4
	recordEnd           = 5
	recordWriteByRef    = 6
	recordSpill         = 7
	recordWriteEmbedded = 8
	recordObjectRange   = 9
	recordRedact        = 10
)

// endGUIDAt is where DRR_END says which snapshot it ends.
const endGUIDAt = 40

// payloadOf is the length of the payload after a record other than DRR_BEGIN
// (DRR_*_PAYLOAD_SIZE in sys/zfs_ioctl.h). zfs receive does not go by the field
// drr_payloadlen.
func payloadOf(order binary.ByteOrder, b []byte) (uint64, error) {
	round := func(n uint32) uint64 { return (uint64(n) + 7) &^ 7 }
	switch kind := order.Uint32(b); kind {
	case recordFreeObjects, recordFree, recordEnd, recordObjectRange:
		return 0, nil
	case recordObject:
		if raw := order.Uint32(b[36:]); raw != 0 {
			return uint64(raw), nil
		}
		return round(order.Uint32(b[28:])), nil
	case recordWrite:
		if b[50] != 0 { // compressed
			return order.Uint64(b[96:]), nil
		}
		return order.Uint64(b[32:]), nil
	case recordSpill:
		if n := order.Uint64(b[40:]); n != 0 { // compressed
			return n, nil
		}
		return order.Uint64(b[16:]), nil
	case recordWriteEmbedded:
		return round(order.Uint32(b[52:])), nil
	case recordWriteByRef:
		return 0, fmt.Errorf("it holds a record of a deduplicated stream")
	case recordRedact:
		return 0, fmt.Errorf("it holds a record of a redacted stream")
	default:
		return 0, fmt.Errorf("it holds a record of type %d, which is not known", kind)
	}
}
