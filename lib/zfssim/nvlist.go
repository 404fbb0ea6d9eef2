package zfssim

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
)

// A token is what receive_resume_token says: OpenZFS's format (dmu_recv.c), a
// natively encoded nvlist, deflated, in hexadecimal, with its fletcher-4 sum
// and its size in front.
type token struct {
	From, To      uint64
	ToName        string
	Object        uint64
	Offset, Bytes uint64
	Large, Embed  bool
	Compress, Raw bool
}

const (
	nvBoolean = 1
	nvUint64  = 8
	nvString  = 9
)

func (k *token) encode() string {
	var b bytes.Buffer
	nvBegin(&b)
	if k.From != 0 {
		nvPair(&b, "fromguid", nvUint64, le64(k.From))
	}
	nvPair(&b, "object", nvUint64, le64(k.Object))
	nvPair(&b, "offset", nvUint64, le64(k.Offset))
	nvPair(&b, "bytes", nvUint64, le64(k.Bytes))
	nvPair(&b, "toguid", nvUint64, le64(k.To))
	nvPair(&b, "toname", nvString, append([]byte(k.ToName), 0))
	for _, f := range []struct {
		on   bool
		name string
	}{{k.Large, "largeblockok"}, {k.Embed, "embedok"}, {k.Compress, "compressok"}, {k.Raw, "rawok"}} {
		if f.on {
			nvPair(&b, f.name, nvBoolean, nil)
		}
	}
	nvEnd(&b)
	var packed bytes.Buffer
	w, _ := zlib.NewWriterLevel(&packed, 6)
	w.Write(b.Bytes())
	w.Close()
	var sum fletcher4
	sum.add(packed.Bytes()[:packed.Len()&^3])
	return fmt.Sprintf("1-%x-%x-%x", sum[0], b.Len(), packed.Bytes())
}

func nvBegin(b *bytes.Buffer) {
	b.Write([]byte{0, 1, 0, 0})                           // native, little-endian
	binary.Write(b, binary.LittleEndian, [2]uint32{0, 1}) // version, unique names
}

func nvEnd(b *bytes.Buffer) { b.Write(make([]byte, 4)) }

func le64(n uint64) []byte { return binary.LittleEndian.AppendUint64(nil, n) }

func nvPair(b *bytes.Buffer, name string, kind uint32, value []byte) {
	nameSize := len(name) + 1
	head := 16 + align8(nameSize)
	size := head + align8(len(value))
	elements := uint32(1)
	if kind == nvBoolean {
		elements = 0
	}
	p := make([]byte, size)
	binary.LittleEndian.PutUint32(p[0:], uint32(size))
	binary.LittleEndian.PutUint16(p[4:], uint16(nameSize))
	binary.LittleEndian.PutUint32(p[8:], elements)
	binary.LittleEndian.PutUint32(p[12:], kind)
	copy(p[16:], name)
	copy(p[head:], value)
	b.Write(p)
}

func align8(n int) int { return (n + 7) &^ 7 }

var (
	errTokenFormat = errors.New("resume token is corrupt (invalid format)")
	errTokenSum    = errors.New("resume token is corrupt (incorrect checksum)")
	errTokenDecode = errors.New("resume token is corrupt (decompression failed)")
	errTokenNV     = errors.New("resume token is corrupt (nvlist_unpack failed)")
)

// decodeToken is zfs_send_resume_token_to_nvlist, and says what it says.
func decodeToken(s string) (*token, error) {
	var version uint64
	var sum, size uint64
	parts := strings.SplitN(s, "-", 4)
	if len(parts) > 0 {
		if n, err := fmt.Sscanf(parts[0], "%d", &version); n != 1 || err != nil {
			return nil, errTokenFormat
		}
	}
	if len(parts) < 4 {
		return nil, errTokenFormat
	}
	if version != 1 {
		return nil, fmt.Errorf("resume token is corrupt (invalid version %d)", version)
	}
	if n, _ := fmt.Sscanf(parts[1]+" "+parts[2], "%x %x", &sum, &size); n != 2 {
		return nil, errTokenFormat
	}
	packed, err := hex.DecodeString(parts[3][:len(parts[3])&^1])
	if err != nil {
		return nil, errTokenFormat
	}
	var have fletcher4
	have.add(packed[:len(packed)&^3])
	if have[0] != sum {
		return nil, errTokenSum
	}
	r, err := zlib.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, errTokenDecode
	}
	data, err := io.ReadAll(io.LimitReader(r, 1<<16))
	if err != nil || uint64(len(data)) != size {
		return nil, errTokenDecode
	}
	k, err := unpackToken(data)
	if err != nil {
		return nil, errTokenNV
	}
	return k, nil
}

func unpackToken(data []byte) (*token, error) {
	l, err := unpackNvlist(data)
	if err != nil {
		return nil, errTokenNV
	}
	k := &token{}
	for _, p := range l.pairs {
		k.set(&p)
	}
	return k, nil
}

// A resumePoint is where a resumed stream goes on.
type resumePoint struct{ Object, Offset uint64 }

func (k *token) set(p *nvpair) {
	switch p.name {
	case "fromguid":
		k.From = p.num
	case "toguid":
		k.To = p.num
	case "object":
		k.Object = p.num
	case "offset":
		k.Offset = p.num
	case "bytes":
		k.Bytes = p.num
	case "toname":
		k.ToName = p.text
	case "largeblockok":
		k.Large = true
	case "embedok":
		k.Embed = true
	case "compressok":
		k.Compress = true
	case "rawok":
		k.Raw = true
	}
}
