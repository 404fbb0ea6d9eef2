package zfs

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
)

// A package of streams begins with a record of its own, with a payload where
// it carries properties or belongs to several filesystems, and an end record
// (send_prelim_records in OpenZFS's libzfs_sendrecv.c). Plain streams follow.
//
// zfs receive of a package can rename and destroy what the payload does not
// list, unless that says not_recursive. Only the packages that zfs send -I
// and -p make of one filesystem may pass, and only where they were asked for.

var errPackage = errors.New("it is a package of several streams, not a plain one")

// inspectPackage looks at the beginning of a package.
func (e Expect) inspectPackage(b Begin, beginning []byte) (need int, err error) {
	if !e.Chain && !e.Properties {
		return 0, errPackage
	}
	if b.Payload > 0 && !e.Properties {
		return 0, errors.New("it is a package with properties, which was not asked for")
	}
	first := 2*drrSize + b.Payload // where the first plain stream begins
	if need := first + drrSize; len(beginning) < need {
		return need, nil
	}
	if b.Payload > 0 {
		if err := checkPackage(beginning[drrSize : drrSize+b.Payload]); err != nil {
			return 0, err
		}
	}
	inner, err := ParseBegin(beginning[first:])
	if err != nil {
		return 0, err
	}
	ds, _, _ := dataset.Split(b.ToName)
	of, _, _ := dataset.Split(inner.ToName)
	switch {
	case inner.Compound:
		return 0, errPackage
	case ds != of:
		return 0, fmt.Errorf("it is a package for %q that begins with a stream of %q", ds, of)
	case !e.Chain && inner.ToGUID != e.To:
		return 0, fmt.Errorf("it sends the snapshot with guid %v, not %v", inner.ToGUID, e.To)
	case inner.FromGUID != e.From:
		return 0, fmt.Errorf("it is from guid %v, not %v", inner.FromGUID, e.From)
	}
	return 0, nil
}

// packageKeys are what the payload of a package of one filesystem holds.
var packageKeys = []string{"fromsnap", "tosnap", "not_recursive", "fss", "raw"}

// checkPackage accepts the payload of a package of one filesystem.
func checkPackage(payload []byte) error {
	pairs, err := decodeXDR(payload)
	if err != nil {
		return err
	}
	alone, filesystems := false, 0
	for _, p := range pairs {
		if !slices.Contains(packageKeys, p.name) {
			return fmt.Errorf("it is a package with %q, which is not known", p.name)
		}
		switch {
		case p.name == "not_recursive":
			alone = true
		case p.name == "fss" && p.kind == nvList:
			inner, rest, err := xdrPairs(p.raw)
			if err != nil || len(rest) != 0 {
				return errNvlist
			}
			filesystems += len(inner)
		}
	}
	if !alone || filesystems != 1 {
		return errPackage
	}
	return nil
}

const nvList = 19

// decodeXDR reads the outermost pairs of an nvlist in XDR encoding: a header
// of four bytes (encoding 1, endianness, two reserved), version and flags,
// and pairs (module/nvpair/nvpair.c).
func decodeXDR(b []byte) ([]nvpair, error) {
	if len(b) < 4 || b[0] != 1 {
		return nil, errNvlist
	}
	pairs, rest, err := xdrPairs(b[4:])
	if err == nil && len(rest) != 0 {
		err = errNvlist
	}
	return pairs, err
}

// xdrPairs reads version, flags and pairs: size, size when decoded, name,
// type, number of values, value; and two zeros behind the last.
func xdrPairs(b []byte) (pairs []nvpair, rest []byte, err error) {
	if len(b) < 8 {
		return nil, nil, errNvlist
	}
	b = b[8:]
	for {
		if len(b) < 8 {
			return nil, nil, errNvlist
		}
		size := binary.BigEndian.Uint32(b)
		if size == 0 {
			return pairs, b[8:], nil
		}
		if size < 8 || uint64(size) > uint64(len(b)) {
			return nil, nil, errNvlist
		}
		pair, err := xdrPair(b[8:size])
		if err != nil {
			return nil, nil, err
		}
		pairs, b = append(pairs, pair), b[size:]
	}
}

func xdrPair(b []byte) (p nvpair, err error) {
	if len(b) < 4 {
		return p, errNvlist
	}
	n := uint64(binary.BigEndian.Uint32(b))
	padded := (n + 3) &^ 3
	if uint64(len(b)) < 4+padded+8 {
		return p, errNvlist
	}
	p.name = string(b[4 : 4+n])
	b = b[4+padded:]
	p.kind = int32(binary.BigEndian.Uint32(b))
	p.raw = b[8:]
	return p, nil
}
