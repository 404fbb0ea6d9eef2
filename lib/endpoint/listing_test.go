package endpoint

import (
	"errors"
	"testing"
)

func TestOnce(t *testing.T) {
	a, b := errors.New("zfs list: it broke"), errors.New("zfs list: it is gone")
	for _, test := range []struct {
		errs []error
		want string
	}{
		{[]error{a, nil, a}, "zfs list: it broke"},
		{[]error{nil, a, b}, "zfs list: it broke; zfs list: it is gone"},
	} {
		if err := once(test.errs); err.Error() != test.want || !errors.Is(err, a) {
			t.Errorf("%v, not %s", err, test.want)
		}
	}
	if err := once([]error{nil, nil}); err != nil {
		t.Error(err)
	}
}
