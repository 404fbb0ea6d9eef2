package replicate

import "testing"

// TestLack: both numbers have units.
func TestLack(t *testing.T) {
	for _, c := range []struct {
		need, have uint64
		want       string
	}{
		{1023, 0, "about 1023 B are to come, and the target has room for 0 B"},
		{1 << 20, 1536, "about 1 MiB are to come, and the target has room for 1.5 KiB"},
		{1<<64 - 1, 5 << 30, "about 16 EiB are to come, and the target has room for 5 GiB"},
	} {
		if got := lack(c.need, c.have); got != c.want {
			t.Errorf("%s, not %s", got, c.want)
		}
	}
}
