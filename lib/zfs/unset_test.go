package zfs

import (
	"strings"
	"testing"
)

func TestUnset(t *testing.T) {
	const said = `cannot receive readonly property on b/r/x2: permission denied
cannot receive zreplctl:send property on b/r/x2: permission denied
cannot receive mountpoint property on b/r/x2: permission denied
cannot receive new filesystem stream: permission denied
Warning: b/r/x2: property 'sharenfs' does not apply to datasets of this type
`
	for _, c := range []struct{ args, said, want string }{
		{"zfs receive -x mountpoint -o readonly=on b/r/x2", said, "readonly: permission denied; zreplctl:send: permission denied"},
		{"zfs receive -x mountpoint -x readonly b/r/x2", said, "zreplctl:send: permission denied"},
		{"zfs receive b/r/x2", "", ""},
		{"zfs receive b/r/x2", "cannot receive quota property on b/r/x2: size is less than current used or reserved space\n",
			"quota: size is less than current used or reserved space"},
		{"", "cannot receive", ""},
		{"zfs receive -x", "cannot receive x property on", ""},
	} {
		if got := Unset(strings.Fields(c.args), c.said); got != c.want {
			t.Errorf("%s: %q, not %q", c.args, got, c.want)
		}
	}
}
