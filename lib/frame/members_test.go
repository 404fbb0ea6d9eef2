package frame

import (
	"bytes"
	"encoding/json"
	"testing"
)

// FuzzMembers holds the quick way against the thorough one.
func FuzzMembers(f *testing.F) {
	for _, s := range []string{
		`{"zframe":1}`, ` { "zframe" : 1 , "checksum":"crc32c" } `, `{"a":"b","a":"c"}`, `{"a":01}`, `{"a":1.5}`,
		`{"a":{"b":[1,{"c":null}]}}`, `{"a":"\u00e9"}`, `{"\u0061":1,"a":2}`, `{}`, `[]`, `{"a":1}}`, `{"a":1,}`, `{"a":-1}`, `{"a":"é"}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		quick, ok := flat(b, nil)
		fields, first, err := StrictObject(b)
		if ok && err != nil {
			t.Fatalf("%q is taken, and wrong: %v", b, err)
		}
		all, membersErr := Members(b, nil)
		if (membersErr == nil) != (err == nil) {
			t.Fatalf("%q: %v, %v", b, membersErr, err)
		}
		if err != nil {
			return
		}
		if ok && len(quick) != len(all) || len(all) != len(fields) || len(all) > 0 && string(all[0].Key) != first {
			t.Fatalf("%q: %v and %v", b, all, fields)
		}
		for _, m := range all {
			if !bytes.Equal(m.Value, fields[string(m.Key)]) {
				t.Fatalf("%q: %q is %q and %q", b, m.Key, m.Value, fields[string(m.Key)])
			}
			var want string
			text, textErr := m.Text()
			if err := json.Unmarshal(m.Value, &want); textErr == nil && (err != nil || text != want) {
				t.Fatalf("%q: text %q, %v", m.Value, text, err)
			}
		}
	})
}
