package rpc

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/zrepl-tools/zrepl-tools/lib/child"
	"github.com/zrepl-tools/zrepl-tools/lib/frame"
)

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
	shell  bool // it ends a shell that reads it; see shell.go
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
	b = append(b, '"')
	if h.shell {
		b = append(b, shellLine...)
	}
	return append(b, '}')
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
	if err := f.parse(data, "call", "body", "accept", "shell"); err != nil {
		return requestHeader{}, err
	}
	h := requestHeader{call: f.text[0], body: body(f.text[1]), accept: body(f.text[2]), shell: f.text[3] != ""}
	switch {
	case h.shell && f.text[3] != shellExit:
		return h, fmt.Errorf("unknown word for a shell %q", child.Clean(f.text[3], 80))
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

// fields are the values of a header's keys.
type fields struct {
	text [4]string
}

// parse fills text in the order of keys. Package frame has seen to it that the
// object is strict, with each key once, and that zframe and checksum are good.
func (f *fields) parse(data []byte, keys ...string) error {
	var room [8]frame.Member
	members, err := frame.Members(data, room[:0])
	if err != nil {
		return err
	}
	seen := false
	for _, m := range members {
		at := slices.IndexFunc(keys, func(key string) bool { return key == string(m.Key) })
		switch {
		case at >= 0:
			f.text[at], err = m.Text()
		case string(m.Key) == "zrpc":
			seen = string(m.Value) == "1"
		case string(m.Key) != "zframe" && string(m.Key) != "checksum":
			err = errors.New("unknown key")
		}
		if err != nil {
			return fmt.Errorf("%q in a header: %w", child.Clean(string(m.Key), 80), err)
		}
	}
	if !seen {
		return errors.New("a header without version 1 of the protocol, the one this program knows")
	}
	return nil
}
