package zfssim

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
)

// A coded struct is kept as a JSON object and names its own members. A command
// lives for a few milliseconds, and encoding/json would spend a good part of
// them on learning the structs by reflection.
type coded interface{ members() []member }

// A member is one of a JSON object: its key, and a pointer to its value. One
// that is empty is left out, unless it is kept.
type member struct {
	key  string
	at   any
	kept bool
}

var errCoded = errors.New("not an object of ours")

// encode is the struct as JSON.
func encode(c coded) ([]byte, error) {
	b := []byte{'{'}
	for _, m := range c.members() {
		value, err := m.encode()
		if err != nil {
			return nil, err
		}
		if value == nil {
			continue
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(b, '"')
		b = append(b, m.key...)
		b = append(b, '"', ':')
		b = append(b, value...)
	}
	return append(b, '}'), nil
}

// encode is the value as JSON, or nil if it is left out.
func (m member) encode() ([]byte, error) {
	var b []byte
	empty := false
	switch v := m.at.(type) {
	case *bool:
		b, empty = strconv.AppendBool(b, *v), !*v
	case *string:
		var err error
		if b, err = quoted(*v); err != nil {
			return nil, err
		}
		empty = *v == ""
	case *int64:
		b, empty = strconv.AppendInt(b, *v, 10), *v == 0
	case *uint64:
		b, empty = strconv.AppendUint(b, *v, 10), *v == 0
	case *uint32:
		b, empty = strconv.AppendUint(b, uint64(*v), 10), *v == 0
	case **partial:
		if *v == nil {
			return nil, nil
		}
		return encode(*v)
	default:
		return encodeRare(m.at)
	}
	if empty && !m.kept {
		return nil, nil
	}
	return b, nil
}

// encodeRare encodes what is mostly empty.
func encodeRare(at any) ([]byte, error) {
	empty := false
	switch v := at.(type) {
	case *map[string]string:
		empty = len(*v) == 0
	case *map[string]bool:
		empty = len(*v) == 0
	case *[]string:
		empty = len(*v) == 0
	case *[]grant:
		empty = len(*v) == 0
	case **key:
		empty = *v == nil
	}
	if empty {
		return nil, nil
	}
	return json.Marshal(at)
}

func quoted(s string) ([]byte, error) {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return json.Marshal(s)
		}
	}
	b := append(make([]byte, 0, len(s)+2), '"')
	return append(append(b, s...), '"'), nil
}

// decode reads what encode made. Unknown members are ignored.
func decode(data []byte, c coded) error {
	if !json.Valid(data) {
		return errCoded
	}
	members := c.members()
	t := text(bytes.TrimSpace(data))
	if !t.take('{') {
		return errCoded
	}
	for !t.take('}') {
		name := t.value()
		if !t.take(':') {
			return errCoded
		}
		value := t.value()
		for _, m := range members {
			if len(name) == len(m.key)+2 && string(name[1:len(name)-1]) == m.key {
				if err := m.decode(value); err != nil {
					return err
				}
			}
		}
		t.take(',')
	}
	return nil
}

func (m member) decode(value []byte) (err error) {
	if string(value) == "null" {
		return nil
	}
	switch v := m.at.(type) {
	case *bool:
		*v, err = strconv.ParseBool(string(value))
	case *string:
		*v, err = unquoted(value)
	case *int64:
		*v, err = strconv.ParseInt(string(value), 10, 64)
	case *uint64:
		*v, err = strconv.ParseUint(string(value), 10, 64)
	case *uint32:
		var n uint64
		n, err = strconv.ParseUint(string(value), 10, 32)
		*v = uint32(n)
	case **partial:
		*v = new(partial)
		err = decode(value, *v)
	default:
		err = json.Unmarshal(value, m.at)
	}
	return err
}

func unquoted(value []byte) (s string, err error) {
	if len(value) < 2 || value[0] != '"' || bytes.IndexByte(value, '\\') >= 0 {
		err = json.Unmarshal(value, &s)
		return s, err
	}
	return string(value[1 : len(value)-1]), nil
}

// text is valid JSON that was not read yet.
type text []byte

// take takes c, and white space before it, if it comes next.
func (t *text) take(c byte) bool {
	rest := bytes.TrimLeft(*t, " \t\r\n")
	if len(rest) == 0 || rest[0] != c {
		return false
	}
	*t = rest[1:]
	return true
}

// value takes one value.
func (t *text) value() []byte {
	all := bytes.TrimLeft(*t, " \t\r\n")
	depth, inside, n := 0, false, 0
	for ; n < len(all); n++ {
		c := all[n]
		switch {
		case inside && c == '\\':
			n++
		case c == '"':
			inside = !inside
		case inside:
		case c == '{' || c == '[':
			depth++
		case depth > 0 && (c == '}' || c == ']'):
			depth--
		case depth == 0 && bytes.IndexByte([]byte(",:}] \t\r\n"), c) >= 0:
			*t = all[n:]
			return all[:n]
		}
	}
	*t = nil
	return all
}
