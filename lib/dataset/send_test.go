package dataset

import "testing"

func TestOptions(t *testing.T) {
	for _, s := range []string{"-", "w", "L", "wLec", "ec"} {
		if o, err := ParseSendOptions(s); err != nil || o.String() != s {
			t.Errorf("%q comes back as %q, %v", s, o, err)
		}
	}
	for _, s := range []string{"", "x", "L-", "wLecR"} {
		if _, err := ParseSendOptions(s); err == nil {
			t.Errorf("%q passes", s)
		}
	}
	for _, c := range []struct {
		old, now string
		ok       bool
	}{{"-", "-", true}, {"L", "-", false}, {"-", "L", false}, {"w", "L", false}, {"w", "wLec", true}, {"L", "w", false}, {"L", "Lec", true}} {
		old, _ := ParseSendOptions(c.old)
		now, _ := ParseSendOptions(c.now)
		if now.Follows(old) != c.ok {
			t.Errorf("%s after %s: want %v", now, old, c.ok)
		}
	}
}
