package zfs

import "testing"

func TestCreation(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "1700000000": 1700000000, "-5": -5, "253402300799": LastSecond, "253402300800": LastSecond,
		"9223372036854775808": LastSecond, "18446744073709551615": LastSecond, "-9223372036854775809": -LastSecond,
	} {
		if got, err := Creation(text); got != want || err != nil {
			t.Errorf("%s: %d, %v, not %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "-", "x", "1x"} {
		if got, err := Creation(text); err == nil {
			t.Errorf("%q: %d", text, got)
		}
	}
}
