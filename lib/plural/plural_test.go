package plural

import "testing"

func TestOf(t *testing.T) {
	for _, c := range []struct {
		n    int
		noun string
		want string
	}{
		{0, "dataset", "0 datasets"}, {1, "dataset", "1 dataset"}, {2, "dataset", "2 datasets"},
		{1, "copy", "1 copy"}, {3, "copy", "3 copies"}, {2, "day", "2 days"}, {2, "key", "2 keys"},
	} {
		if got := Of(c.n, c.noun); got != c.want {
			t.Errorf("Of(%d, %q) = %q, want %q", c.n, c.noun, got, c.want)
		}
	}
}
