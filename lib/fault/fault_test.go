package fault

import (
	"errors"
	"fmt"
	"testing"
)

func TestKinds(t *testing.T) {
	cause := errors.New("zfs hold: dataset does not exist")
	err := fmt.Errorf("cannot hold: %w", With(Gone, cause))
	if !errors.Is(err, Gone) || errors.Is(err, NoSpace) || !errors.Is(err, cause) || Of(err) != Gone {
		t.Errorf("%v: kind %q", err, Of(err))
	}
	if err.Error() != "cannot hold: zfs hold: dataset does not exist" {
		t.Errorf("the kind shows: %v", err)
	}
	if With("", cause) != cause || With(Gone, nil) != nil || Of(cause) != "" || Of(nil) != "" {
		t.Error("a kind out of nothing")
	}
}

// A peer may send any code. One that is not known is as good as none.
func TestUnknownCodes(t *testing.T) {
	for _, code := range []string{"", "failed", "gone ", "GONE", "no-such-kind", "\x1b[31m"} {
		if k := Parse(code); k != "" {
			t.Errorf("%q is kind %q", code, k)
		}
		if k := Of(&Error{Kind: Kind(code), Err: errors.New("x")}); k != "" {
			t.Errorf("an error with code %q has kind %q", code, k)
		}
	}
	for k := range kinds {
		if Parse(string(k)) != k {
			t.Errorf("%q is not known", k)
		}
	}
}
