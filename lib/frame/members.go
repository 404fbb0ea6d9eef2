package frame

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
)

// Member is a key of a JSON object and its value, as it is written.
type Member struct {
	Key   []byte
	Value []byte
}

// Members reads one JSON object, as strictly as [StrictObject], and returns
// its members, the first one first and the others in no order, appended to to.
// An object of plain values, as headers and trailers are, costs one look at
// each byte.
func Members(b []byte, to []Member) ([]Member, error) {
	if all, ok := flat(b, to); ok {
		return all, nil
	}
	fields, first, err := StrictObject(b)
	if err != nil {
		return to, err
	}
	if value, ok := fields[first]; ok {
		to = append(to, Member{[]byte(first), value})
		delete(fields, first)
	}
	for key, value := range fields {
		to = append(to, Member{[]byte(key), value})
	}
	return to, nil
}

// Text is the value as a string.
func (m Member) Text() (string, error) {
	if text, ok := plainText(m.Value); ok {
		return text, nil
	}
	var s *string
	if err := json.Unmarshal(m.Value, &s); err != nil || s == nil {
		return "", errors.New("not a string")
	}
	return *s, nil
}

// Number is the value as an integer that is not negative.
func (m Member) Number() (uint64, error) {
	n, err := strconv.ParseUint(string(m.Value), 10, 64)
	if err != nil {
		return 0, errors.New("not a whole number")
	}
	return n, nil
}

// plainText takes the quotes off a string without escapes.
func plainText(v []byte) (string, bool) {
	if len(v) < 2 || v[0] != '"' {
		return "", false
	}
	for _, c := range v[1 : len(v)-1] {
		if c == '\\' {
			return "", false
		}
	}
	return string(v[1 : len(v)-1]), true
}

// flat reads an object whose values are plain strings and integers, all of
// ASCII without escapes. It says no to everything else, right or wrong.
func flat(b []byte, to []Member) ([]Member, bool) {
	f := flatText(b)
	if !f.skip('{') {
		return to, false
	}
	from := len(to)
	for {
		key, ok := f.quoted()
		if !ok || !f.skip(':') {
			return to, false
		}
		value, ok := f.value()
		if !ok {
			return to, false
		}
		name := key[1 : len(key)-1]
		for _, m := range to[from:] {
			if bytes.Equal(m.Key, name) {
				return to, false
			}
		}
		to = append(to, Member{name, value})
		if f.skip(',') {
			continue
		}
		return to, f.skip('}') && f.space() == 0
	}
}

// flatText is what is left to read.
type flatText []byte

// space skips white space and tells how much is left.
func (f *flatText) space() int {
	for len(*f) > 0 {
		switch (*f)[0] {
		case ' ', '\t', '\n', '\r':
			*f = (*f)[1:]
			continue
		}
		break
	}
	return len(*f)
}

func (f *flatText) skip(c byte) bool {
	if f.space() == 0 || (*f)[0] != c {
		return false
	}
	*f = (*f)[1:]
	return true
}

// value takes a string, with its quotes, or an integer.
func (f *flatText) value() ([]byte, bool) {
	if f.space() == 0 {
		return nil, false
	}
	if (*f)[0] == '"' {
		return f.quoted()
	}
	n := 0
	for n < len(*f) && '0' <= (*f)[n] && (*f)[n] <= '9' {
		n++
	}
	v := (*f)[:n]
	*f = (*f)[n:]
	return v, n == 1 || n > 1 && v[0] != '0'
}

// quoted takes a string, with its quotes.
func (f *flatText) quoted() ([]byte, bool) {
	if f.space() == 0 || (*f)[0] != '"' {
		return nil, false
	}
	for i, c := range (*f)[1:] {
		switch {
		case c == '"':
			s := (*f)[:i+2]
			*f = (*f)[i+2:]
			return s, true
		case c < ' ', c == '\\', c >= 0x7f:
			return nil, false
		}
	}
	return nil, false
}
