package identity

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	for _, id := range []string{"a", "prod1", "backups.example.com", "A_b-c.9", "_x", "0", strings.Repeat("a", MaxLen)} {
		if err := Check(id); err != nil {
			t.Errorf("%q: %v", id, err)
		}
	}
	for _, test := range []struct{ id, want string }{
		{"", "empty name"},
		{".", "name starts with '.'"},
		{"..", "name starts with '.'"},
		{".hidden", "name starts with '.'"},
		{"-v", "name starts with '-'"},
		{"a/b", "character '/' at byte 2: a name has only A-Z a-z 0-9 . _ -"},
		{"a b", "character ' ' at byte 2: a name has only A-Z a-z 0-9 . _ -"},
		{"a\n", "character '\\n' at byte 2: a name has only A-Z a-z 0-9 . _ -"},
		{"a\x00", "character '\\x00' at byte 2: a name has only A-Z a-z 0-9 . _ -"},
		{"é", "character 'é' at byte 1: a name has only A-Z a-z 0-9 . _ -"},
		{strings.Repeat("a", MaxLen+1), "name of 65 characters: at most 64"},
	} {
		if err := Check(test.id); err == nil || err.Error() != test.want {
			t.Errorf("%q: %v, want %s", test.id, err, test.want)
		}
	}
}

// FuzzCheck: a name that passes stays one file of its directory.
func FuzzCheck(f *testing.F) {
	for _, s := range []string{"a", "..", "a/../b", "-x", "a\x00b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, id string) {
		if Check(id) != nil {
			return
		}
		if path := filepath.Join("/run/x", id); filepath.Dir(path) != "/run/x" || filepath.Base(path) != id {
			t.Fatalf("%q leads to %q", id, path)
		}
		if strings.ContainsAny(id, " \t\n'\"$`\\;&|<>@#%:,") {
			t.Fatalf("%q passes", id)
		}
	})
}
