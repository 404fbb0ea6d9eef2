package clean

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

// hostile are characters that no output may hold, each of another kind.
var hostile = []string{"\x00", "\a", "\b", "\t", "\n", "\v", "\f", "\r", "\x1b", "\x1f", "\x7f", "\u0080", "\u0085", "\u009b", "\u00ad",
	"\u034f", "\u061c", "\u115f", "\u180e", "\u200b", "\u200c", "\u200d", "\u200e", "\u200f", "\u2028", "\u2029", "\u202a", "\u202e", "\u2060",
	"\u2066", "\u2069", "\u3164", "\ufe0f", "\ufeff", "\ufff9", "\uffa0", "\U000e0001", "\U000e0041", "\U000e007f", "\U000e0100", "\xff", "\xc3", "\xed\xa0\x80"}

func harmless(s string) bool { return utf8.ValidString(s) && Plain(s) }

func TestHostile(t *testing.T) {
	for _, c := range hostile {
		text := "a" + c + "b"
		if Plain(text) {
			t.Errorf("%q passes for plain", text)
		}
		got := Field(text)
		if !harmless(got) || !strings.HasPrefix(got, `a\`) || !strings.HasSuffix(got, "b") {
			t.Errorf("%q as a field: %q", text, got)
		}
		if got := Line(text, 80); !harmless(got) {
			t.Errorf("%q as a line: %q", text, got)
		}
		if got := Tail(text, 80); !harmless(got) {
			t.Errorf("%q as a tail: %q", text, got)
		}
		encoded, err := JSON(map[string]string{text: text})
		if err != nil || !harmless(string(encoded)) {
			t.Errorf("%q in JSON: %q, %v", text, encoded, err)
		}
		var back map[string]string
		if err := json.Unmarshal(encoded, &back); err != nil {
			t.Error(err)
		}
		if want := strings.ToValidUTF8(text, "\ufffd"); utf8.ValidString(text) && back[want] != want {
			t.Errorf("%q comes back from %s as %q", text, encoded, back)
		}
	}
	for _, good := range []string{"", "tank/a b@s_1:2-3.4", "Grüße, 世界 ☃ 😀", "\u00a0", `a\nb`, "\ufffd"} {
		if Field(good) != good || Text(good) != good {
			t.Errorf("%q is changed", good)
		}
	}
}

func TestText(t *testing.T) {
	if got := Text("a\tb\nc\x1b[31m\r\n\u202e"); got != "a\tb\nc\\x1b[31m\\r\n\\u202e" {
		t.Errorf("%q", got)
	}
	var b bytes.Buffer
	w := Writer{&b}
	for _, part := range []string{"a\n", "\xe2\x80", "\xae\x1b", "ä\n"} {
		if n, err := w.Write([]byte(part)); n != len(part) || err != nil {
			t.Errorf("%q: %d, %v", part, n, err)
		}
	}
	if got := b.String(); got != "a\n\\xe2\\x80\\xae\\x1bä\n" {
		t.Errorf("%q", got)
	}
}

func TestLine(t *testing.T) {
	for _, c := range []struct {
		in, line, tail string
		max            int
	}{
		{"two\nlines\n", "two; lines", "two; lines", 20},
		{"a\x1b[31mb\x07\x00\u202ec\u0085\xff", "a[31mbc", "a[31mbc", 20},
		{"tab\there", "tab here", "tab here", 20},
		{strings.Repeat("ä", 10), "äää...", "...äää", 10},
		{"0123456789abc", "0123456...", "...6789abc", 10},
		{"long", "", "", 2},
	} {
		if got := Line(c.in, c.max); got != c.line {
			t.Errorf("%q: %q, not %q", c.in, got, c.line)
		}
		if got := Tail(c.in, c.max); got != c.tail {
			t.Errorf("%q: the tail is %q, not %q", c.in, got, c.tail)
		}
	}
	if got := Name(strings.Repeat("\x1b", 1000)); len(got) > 300 || !strings.HasSuffix(got, "...") {
		t.Errorf("%d bytes", len(got))
	}
}

func FuzzClean(f *testing.F) {
	for _, c := range hostile {
		f.Add("a" + c)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, got := range []string{Field(s), Line(s, 50), Tail(s, 50), Name(s)} {
			if !harmless(got) {
				t.Errorf("%q: %q", s, got)
			}
		}
		if !Plain(strings.NewReplacer("\n", "", "\t", "").Replace(Text(s))) {
			t.Errorf("%q: %q", s, Text(s))
		}
		encoded, err := JSON(s)
		if err != nil || !harmless(string(encoded)) {
			t.Errorf("%q: %q, %v", s, encoded, err)
		}
	})
}
