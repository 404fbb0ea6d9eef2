package stream

import (
	"encoding/binary"
	"strings"
	"testing"
)

// Every field of a first record that is not as it was asked for refuses the
// stream, in words that say which.
func TestJudge(t *testing.T) {
	const raw, large, comp, emb, lz4, resuming = featureRaw, featureLargeBlocks, featureCompressed, featureEmbedded, featureLZ4, featureResuming
	set32 := func(at int, v uint32) func(binary.ByteOrder, []byte) {
		return func(o binary.ByteOrder, b []byte) { o.PutUint32(b[at:], v) }
	}
	for _, c := range []struct {
		name     string
		words    string
		features uint64
		change   func(o binary.ByteOrder, b []byte)
		want     string // in the error; empty: accepted
	}{
		{"plain", "", 0, nil, ""},
		{"what needs no asking", "", featureSpill | featureLargeDnodes | featureLongNames, nil, ""},
		{"all that was asked for", ",large_blocks,compressed,embedded", large | comp | emb | lz4 | featureZstd | featureLargeMicrozap | featureToLargeBlocks, nil, ""},
		{"raw", ",raw", raw | large | comp | emb | lz4, nil, ""},
		{"plain instead of raw", ",raw", large | comp, nil, "not raw"},
		{"raw instead of plain", "", raw, nil, "raw, which was not asked for"},
		{"large blocks", ",compressed,embedded", large, nil, "large blocks"},
		{"compressed", ",large_blocks,embedded", comp, nil, "compressed"},
		{"zstd", ",large_blocks,embedded", featureZstd, nil, "compressed"},
		{"embedded", ",large_blocks,compressed", emb, nil, "embedded"},
		{"lz4", ",large_blocks", lz4, nil, "compressed"},
		{"resuming", "", resuming, nil, "resumed"},
		{"resumed", ",resumed", resuming, nil, ""},
		{"dedup", ",raw", raw | 1, nil, "deduplicated"},
		{"dedup with properties", ",raw", raw | 2, nil, "deduplicated"},
		{"redacted", ",raw", raw | featureRedacted, nil, "redacted"},
		{"holds", ",raw", raw | featureHolds, nil, "holds"},
		{"reserved", "", 1 << 3, nil, "not known"},
		{"Delphix", "", 1 << 18, nil, "not known"},
		{"beyond the field", "", 1 << 30, nil, "not known"},
		{"the highest bit", "", 1 << 61, nil, "not known"},
		{"clone", "", 0, set32(beginFlagsAt, flagClone), "clone"},
		{"clone among others", "", 0, set32(beginFlagsAt, flagClone|flagFreeRecords), "clone"},
		{"a clone that was asked for", ",clone", 0, set32(beginFlagsAt, flagClone|flagFreeRecords), ""},
		{"no clone, which was asked for", ",clone", 0, nil, "would not make a clone"},
		{"a clone of another", ",clone", 0, func(o binary.ByteOrder, b []byte) {
			set32(beginFlagsAt, flagClone)(o, b)
			o.PutUint64(b[beginFromAt:], 5)
		}, "from guid 5, not 1"},
		{"a clone of nothing", ",clone", 0, func(o binary.ByteOrder, b []byte) {
			set32(beginFlagsAt, flagClone)(o, b)
			o.PutUint64(b[beginFromAt:], 0)
		}, "from guid 0, not 1"},
		{"an unknown flag of a clone", ",clone", 0, set32(beginFlagsAt, flagClone|1<<4), "flags"},
		{"an unknown flag", "", 0, set32(beginFlagsAt, 1<<4), "flags"},
		{"no flags", "", 0, set32(beginFlagsAt, 0), ""},
		{"ignores case", "", 0, set32(beginFlagsAt, flagIgnoresCase), ""},
		{"a volume", "", 0, set32(beginTypeAt, objsetVolume), "not of a filesystem"},
		{"a filesystem", ",volume", 0, nil, "not of a volume"},
		{"no type", "", 0, set32(beginTypeAt, 0), "not of a filesystem"},
		{"the pool's own objects", "", 0, set32(beginTypeAt, 1), "not of a filesystem"},
		{"a package", "", 0, func(o binary.ByteOrder, b []byte) { o.PutUint64(b[beginVersionAt:], headerPackage) }, "package"},
		{"another to", "", 0, func(o binary.ByteOrder, b []byte) { o.PutUint64(b[beginToAt:], 5) }, "guid 5, not 4"},
		{"another from", "", 0, func(o binary.ByteOrder, b []byte) { o.PutUint64(b[beginFromAt:], 5) }, "from guid 5, not 1"},
		{"full", "", 0, func(o binary.ByteOrder, b []byte) { o.PutUint64(b[beginFromAt:], 0) }, "from guid 0, not 1"},
		{"a payload", "", 0, set32(beginPayloadAt, 8), "brings more"},
		{"a large payload", ",raw", raw, set32(beginPayloadAt, 1<<20), "at most"},
		{"the last date", "", 0, func(o binary.ByteOrder, b []byte) { o.PutUint64(b[beginCreatedAt:], 253402300799) }, ""},
		{"after the year 9999", "", 0, func(o binary.ByteOrder, b []byte) { o.PutUint64(b[beginCreatedAt:], 253402300800) }, "after the year 9999"},
		{"a negative creation", "", 0, func(o binary.ByteOrder, b []byte) { o.PutUint64(b[beginCreatedAt:], 1<<64-1) }, "after the year 9999"},
		{"no name", "", 0, func(_ binary.ByteOrder, b []byte) { clear(b[beginNameAt:]) }, "not a snapshot"},
	} {
		for _, o := range orders {
			e, err := parseExpect("to=4,from=1" + c.words)
			if err != nil {
				t.Fatal(err)
			}
			b := beginRec(o, headerPlain|c.features<<2, 4, 1, "p/a@4", nil)
			if c.change != nil {
				c.change(o, b)
			}
			begin, err := ParseBegin(b)
			if err == nil {
				err = e.judge(begin, 0)
			}
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s, %v: %v, not %q", c.name, o, err, c.want)
			}
		}
	}
}

func TestJudgeNames(t *testing.T) {
	e, _ := parseExpect("to=4")
	for name, good := range map[string]bool{
		"p@4": true, "p/a b@4 c": true, "p/a": false, "p/a@": false, "@4": false, "p/a@4@5": false, "p/a#4": false, "p/a#b@4": false,
		"p/a@4#5": false, "p/a@4/b": false, "p//a@4": false, "p/../a@4": false, "p/a@..": false, "p/a\n@4": false, "p/a@%recv": false, "-p@4": false,
	} {
		b, err := ParseBegin(beginRec(binary.LittleEndian, headerPlain, 4, 0, name, nil))
		if err == nil {
			err = e.judge(b, 0)
		}
		if (err == nil) != good {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// pair is an nvpair of 8 bytes, native and little-endian.
func pair(name string, kind uint32, value []byte) []byte {
	o := binary.LittleEndian
	b := make([]byte, 16+(len(name)+1+7)&^7)
	o.PutUint16(b[4:], uint16(len(name)+1))
	o.PutUint32(b[8:], 1)
	o.PutUint32(b[12:], kind)
	copy(b[16:], name)
	b = append(b, value...)
	o.PutUint32(b, uint32(len(b)))
	return b
}

func packed(pairs ...[]byte) []byte {
	b := []byte{0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0}
	for _, p := range pairs {
		b = append(b, p...)
	}
	return append(b, 0, 0, 0, 0)
}

func TestJudgePayload(t *testing.T) {
	eight, list := make([]byte, 8), make([]byte, 24)
	at := packed(pair("resume_object", nvUint64, eight), pair("resume_offset", nvUint64, eight))
	keys := append(pair("crypt_keydata", nvList, list), packed(pair("DSL_CRYPTO_SUITE", nvUint64, eight), pair("DSL_CRYPTO_IV", 11, eight))[12:]...)
	deep := append(pair("crypt_keydata", nvList, list), packed(pair("deeper", nvList, list))[12:]...)
	for _, c := range []struct {
		words   string
		payload []byte
		good    bool
	}{
		{"resumed", at, true},
		{"raw", at, false},
		{"raw", packed(keys), true},
		{"resumed", packed(keys), false},
		{"raw,resumed", packed(keys, pair("resume_object", nvUint64, eight)), true},
		{"raw", packed(keys, pair("redact_snaps", nvUint64, eight)), false},
		{"raw,resumed", packed(keys, keys), false},
		{"raw", packed(deep), false},
		{"raw", append(packed(keys), 0), false},
		{"raw", packed(keys)[:40], false},
		{"raw", nil, false},
		{"resumed", packed(pair("resume_object", nvString, eight)), false},
		{"resumed", packed(pair("resume_object\x00", nvUint64, eight)), false},
	} {
		e, err := parseExpect("to=4," + c.words)
		if err != nil {
			t.Fatal(err)
		}
		if err := e.judgePayload(c.payload); (err == nil) != c.good {
			t.Errorf("%s, %q: %v", c.words, c.payload, err)
		}
	}
}
