package clean

import (
	"bytes"
	"encoding/json"
	"io"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

const hex = "0123456789abcdef"

// escape writes s with what must not be printed as Go writes it in a string,
// but for the characters in keep.
func escape(b *strings.Builder, s, keep string) {
	for s != "" {
		i := next(s)
		if i < 0 {
			b.WriteString(s)
			return
		}
		b.WriteString(s[:i])
		r, size := utf8.DecodeRuneInString(s[i:])
		switch c := s[i]; {
		case size == 1 && strings.IndexByte(keep, c) >= 0:
			b.WriteByte(c)
		case r == utf8.RuneError && size == 1:
			b.WriteString(`\x` + string(hex[c>>4]) + string(hex[c&15]))
		default:
			quoted := strconv.QuoteRune(r)
			if !strings.HasPrefix(quoted, `'\`) { // Go finds it printable
				quoted = strconv.QuoteRuneToASCII(r)
			}
			b.WriteString(quoted[1 : len(quoted)-1])
		}
		s = s[i+size:]
	}
}

// JSON is json.Marshal of v, with what must not be printed as escapes of JSON
// (\u202e): it decodes to the same value.
func JSON(v any) ([]byte, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return escapeJSON(text), nil
}

// IndentedJSON is JSON over several lines.
func IndentedJSON(v any) ([]byte, error) {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return nil, err
	}
	return escapeJSON(text), nil
}

// escapeJSON can look at characters alone: what is not ASCII stands in
// strings, and encoding/json has escaped the control characters there.
func escapeJSON(text []byte) []byte {
	bad := func(r rune) bool { return r >= 0x7f && Forbidden(r) }
	if bytes.IndexFunc(text, bad) < 0 {
		return text
	}
	out := make([]byte, 0, len(text)+64)
	for _, r := range string(text) {
		if !bad(r) {
			out = utf8.AppendRune(out, r)
			continue
		}
		if hi, lo := utf16.EncodeRune(r); hi != utf8.RuneError {
			out = appendEscape(appendEscape(out, hi), lo)
		} else {
			out = appendEscape(out, r)
		}
	}
	return out
}

func appendEscape(out []byte, r rune) []byte {
	return append(out, '\\', 'u', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15])
}

// Writer cleans what is written to it as Text does, and passes it on. A
// character that is cut between two writes is shown as its bytes.
type Writer struct{ W io.Writer }

// Write writes all of p or returns an error.
func (w Writer) Write(p []byte) (int, error) {
	if s := string(p); !Plain(s) {
		if n, err := io.WriteString(w.W, Text(s)); err != nil {
			return min(n, len(p)), err
		}
		return len(p), nil
	}
	return w.W.Write(p)
}
