package stream

import (
	"bytes"
	"compress/zlib"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/fault"
)

// Limits on a resume token. A real one is below 1 KiB; only a redacted one,
// which we refuse, is longer.
const (
	maxToken  = 16 << 10
	maxPacked = 64 << 10
)

// Token is what a receive_resume_token says. It comes from the receiver,
// which need not be a friend: nothing of it may be believed before it was
// compared with what the sender has.
type Token struct {
	ToName     string
	ToGUID     dataset.GUID
	FromGUID   dataset.GUID // 0: a full stream
	Object     uint64
	Offset     uint64
	Bytes      uint64 // received so far
	Large      bool   // largeblockok
	Embedded   bool   // embedok
	Compressed bool   // compressok
	Raw        bool   // rawok
	Saved      bool   // savedok: a stream of a partial receive
	Redacted   bool
	Unknown    []string // other keys, which a newer OpenZFS may write
}

// DecodeToken reads a receive_resume_token: "VERSION-CHECKSUM-LENGTH-HEX",
// the hex being a zlib stream of a packed native nvlist
// (get_receive_resume_token_impl in OpenZFS's dsl_dataset.c). Its size is
// bounded before anything is allocated. A key that is not known is no error,
// or no token of a newer OpenZFS could be used. It could change what zfs send
// makes of the token, so the stream itself has to be judged before it leaves.
// A known key of another type is an error: zfs send only asks whether it is
// there.
func DecodeToken(text string) (Token, error) {
	packed, err := unpackToken(text)
	if err != nil {
		return Token{}, BadToken("%w", err)
	}
	pairs, err := decodeNvlist(packed)
	if err != nil {
		return Token{}, BadToken("%w", err)
	}
	var t Token
	for _, p := range pairs {
		if err := t.set(p); err != nil {
			return Token{}, BadToken("%w", err)
		}
	}
	if t.ToGUID == 0 || t.ToName == "" {
		return Token{}, BadToken("names no snapshot")
	}
	return t, nil
}

// BadToken is an error that says what is wrong with a token: its partial
// receive can never be resumed.
func BadToken(format string, a ...any) error {
	return fault.With(fault.DeadToken, fmt.Errorf("resume token: "+format, a...))
}

func unpackToken(text string) ([]byte, error) {
	if len(text) > maxToken {
		return nil, fmt.Errorf("%d bytes long: at most %d", len(text), maxToken)
	}
	part := strings.Split(text, "-")
	if len(part) != 4 {
		return nil, errors.New("not of the form VERSION-CHECKSUM-LENGTH-DATA")
	}
	if part[0] != "1" {
		return nil, fmt.Errorf("version %q is not known", part[0])
	}
	sum, err1 := strconv.ParseUint(part[1], 16, 64)
	size, err2 := strconv.ParseUint(part[2], 16, 64)
	raw, err3 := hex.DecodeString(part[3])
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, errors.New("not hexadecimal")
	}
	if size > maxPacked {
		return nil, fmt.Errorf("%d bytes unpacked: at most %d", size, maxPacked)
	}
	if fletcher4(raw) != sum {
		return nil, errors.New("checksum does not match")
	}
	in := bytes.NewReader(raw)
	z, err := zlib.NewReader(in)
	if err != nil {
		return nil, errors.New("not compressed")
	}
	packed, err := io.ReadAll(io.LimitReader(z, int64(size)+1))
	if err != nil || uint64(len(packed)) != size || in.Len() != 0 {
		return nil, errors.New("not of the length it names")
	}
	return packed, nil
}

// fletcher4 is the first word of the Fletcher-4 checksum: the sum of all
// little-endian 32-bit words, a rest of less than four bytes left out.
func fletcher4(data []byte) (sum uint64) {
	for ; len(data) >= 4; data = data[4:] {
		sum += uint64(data[0]) | uint64(data[1])<<8 | uint64(data[2])<<16 | uint64(data[3])<<24
	}
	return sum
}

func (t *Token) set(p nvpair) error {
	number := map[string]*uint64{
		"toguid": (*uint64)(&t.ToGUID), "fromguid": (*uint64)(&t.FromGUID),
		"object": &t.Object, "offset": &t.Offset, "bytes": &t.Bytes,
	}
	flag := map[string]*bool{
		"largeblockok": &t.Large, "embedok": &t.Embedded, "compressok": &t.Compressed,
		"rawok": &t.Raw, "savedok": &t.Saved, "book_redact": &t.Redacted, "redact_snaps": &t.Redacted,
		"book_redact_snaps": &t.Redacted,
	}
	switch {
	case p.name == "toname" && p.kind == nvString:
		t.ToName = p.text
	case number[p.name] != nil && p.kind == nvUint64:
		*number[p.name] = p.number
	case flag[p.name] != nil && (p.kind == nvBoolean || p.kind == nvUint64Array):
		*flag[p.name] = true
	case p.name == "toname", number[p.name] != nil, flag[p.name] != nil:
		return fmt.Errorf("key %q is of type %d", p.name, p.kind)
	default:
		t.Unknown = append(t.Unknown, p.name)
	}
	return nil
}
