package rpc

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/zrepl-tools/zrepl-tools/lib/child"
)

// version is that of zrpc(5), in every header.
const version = 1

// body is what follows a header: the type of the message's data.
type body string

const (
	bodyNone   body = "none"
	bodyJSON   body = "json"
	bodyJSONL  body = "jsonl"
	bodyOctets body = "octets" // json, or nothing, and a framed stream behind the message
)

func validBody(b body) bool {
	return b == bodyNone || b == bodyJSON || b == bodyJSONL || b == bodyOctets
}

// requestHeader stands at the start of a request.
type requestHeader struct {
	call   string
	body   body
	accept body
}

// replyHeader stands at the start of a reply. A code is there only with an
// error.
type replyHeader struct {
	body    body
	code    string
	message string
}

func (h requestHeader) append(b []byte) []byte {
	b = append(b, `{"zframe":1,"checksum":"crc32c","zrpc":1,"call":"`...)
	b = append(b, h.call...) // letters, digits and . _ -
	b = append(b, `","body":"`...)
	b = append(b, h.body...)
	b = append(b, `","accept":"`...)
	b = append(b, h.accept...)
	return append(b, `"}`...)
}

func (h replyHeader) append(b []byte) []byte {
	if h.code == "" {
		b = append(b, `{"zframe":1,"checksum":"crc32c","zrpc":1,"status":"ok","body":"`...)
		b = append(b, h.body...)
		return append(b, `"}`...)
	}
	b = append(b, `{"zframe":1,"checksum":"crc32c","zrpc":1,"status":"error","body":"none","code":"`...)
	b = append(b, h.code...)
	b = append(b, `","error":`...)
	text, err := json.Marshal(h.message)
	if err != nil { // a string always has a JSON form
		text = []byte(`""`)
	}
	return append(append(b, text...), '}')
}

func parseRequest(data []byte) (requestHeader, error) {
	var f fields
	if err := f.parse(data, "call", "body", "accept"); err != nil {
		return requestHeader{}, err
	}
	h := requestHeader{call: f.text[0], body: body(f.text[1]), accept: body(f.text[2])}
	switch {
	case !validName(h.call):
		return h, fmt.Errorf("illegal name of a call %q", child.Clean(h.call, 80))
	case !validBody(h.body):
		return h, fmt.Errorf("unknown type of body %q", child.Clean(string(h.body), 80))
	case !validBody(h.accept):
		return h, fmt.Errorf("unknown type to accept %q", child.Clean(string(h.accept), 80))
	}
	return h, nil
}

func parseReply(data []byte) (replyHeader, error) {
	var f fields
	if err := f.parse(data, "status", "body", "code", "error"); err != nil {
		return replyHeader{}, err
	}
	h := replyHeader{body: body(f.text[1]), code: f.text[2], message: child.Clean(f.text[3], maxMessage)}
	switch {
	case !validBody(h.body):
		return h, fmt.Errorf("unknown type of body %q", child.Clean(string(h.body), 80))
	case f.text[0] == "ok" && h.code == "" && f.text[3] == "":
		return h, nil
	case f.text[0] == "error" && validCode(h.code) && h.body == bodyNone:
		return h, nil
	}
	return h, errors.New("a reply that is neither good nor an error")
}

// validName tells whether a call can have this name: 1 to 64 of a-z A-Z 0-9
// . _ and -.
func validName(s string) bool {
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '.', c == '_', c == '-':
		default:
			return false
		}
	}
	return s != "" && len(s) <= 64
}

// fields parses the one flat object that a header is. encoding/json alone
// would take keys in any case and more than once.
type fields struct {
	rest   []byte
	zframe uint64
	zrpc   uint64
	text   [4]string
	seen   uint
}

// parse fills text in the order of keys. Each key may be there once; the
// first one is zframe.
func (f *fields) parse(data []byte, keys ...string) error {
	f.rest = data
	if !f.skip('{') {
		return errors.New("header is not a JSON object")
	}
	for first := true; ; first = false {
		key, ok := f.quoted()
		if !ok || !f.skip(':') {
			return errors.New("header is not a JSON object of plain values")
		}
		if first != (key == "zframe") {
			return errors.New("header does not start with its version")
		}
		if err := f.value(key, keys); err != nil {
			return err
		}
		if f.skip(',') {
			continue
		}
		if !f.skip('}') || f.space() != 0 {
			return errors.New("header does not end with its object")
		}
		break
	}
	if f.zframe != 1 || f.zrpc != version {
		return fmt.Errorf("version %d of the protocol in version %d of frames: this program knows 1 and 1", f.zrpc, f.zframe)
	}
	return nil
}

func (f *fields) value(key string, keys []string) error {
	bit := -1
	for i, k := range keys {
		if k == key {
			bit = i
		}
	}
	ok := true
	switch {
	case bit >= 0:
		f.text[bit], ok = f.quoted()
	case key == "zframe":
		bit = len(keys)
		f.zframe, ok = f.number()
	case key == "zrpc":
		bit = len(keys) + 1
		f.zrpc, ok = f.number()
	case key == "checksum": // package frame has looked at it
		bit = len(keys) + 2
		_, ok = f.quoted()
	default:
		return fmt.Errorf("unknown key %q in a header", child.Clean(key, 80))
	}
	if !ok {
		return fmt.Errorf("wrong value of %q in a header", key)
	}
	if f.seen&(1<<bit) != 0 {
		return fmt.Errorf("%q twice in a header", key)
	}
	f.seen |= 1 << bit
	return nil
}

// space skips white space and tells how much is left.
func (f *fields) space() int {
	for len(f.rest) > 0 {
		switch f.rest[0] {
		case ' ', '\t', '\n', '\r':
			f.rest = f.rest[1:]
			continue
		}
		break
	}
	return len(f.rest)
}

func (f *fields) skip(c byte) bool {
	if f.space() == 0 || f.rest[0] != c {
		return false
	}
	f.rest = f.rest[1:]
	return true
}

// quoted takes a JSON string. Only one with a backslash, or with something
// else than plain ASCII, needs more than a look.
func (f *fields) quoted() (string, bool) {
	if !f.skip('"') {
		return "", false
	}
	plain := true
	for i := 0; i < len(f.rest); i++ {
		switch c := f.rest[i]; {
		case c == '"':
			raw := f.rest[:i]
			f.rest = f.rest[i+1:]
			if plain {
				return string(raw), true
			}
			var s string
			err := json.Unmarshal([]byte(`"`+string(raw)+`"`), &s)
			return s, err == nil
		case c < ' ':
			return "", false
		case c == '\\':
			plain = false
			i++
		case c >= 0x80:
			plain = false
		}
	}
	return "", false
}

func (f *fields) number() (uint64, bool) {
	if f.space() == 0 {
		return 0, false
	}
	n := 0
	for n < len(f.rest) && n < 20 && '0' <= f.rest[n] && f.rest[n] <= '9' {
		n++
	}
	v, err := strconv.ParseUint(string(f.rest[:n]), 10, 64)
	if err != nil || n > 1 && f.rest[0] == '0' {
		return 0, false
	}
	f.rest = f.rest[n:]
	return v, true
}
