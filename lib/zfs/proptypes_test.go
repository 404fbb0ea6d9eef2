package zfs

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A property is set and excluded where the type of the dataset has it, and the
// others do not stop a stream.
func TestReceiveArgsOfTheType(t *testing.T) {
	z := &ZFS{Path: "zfs"}
	all := map[string]string{"atime": "off", "recsize": "1M", "volblocksize": "16K", "compression": "zstd",
		"volmode": "none", "keylocation": "prompt", "com.acme:owner": "me", "reservation": "none"}
	for _, c := range []struct {
		o    ReceiveOptions
		want string
	}{
		{ReceiveOptions{}, "-x canmount -x encryption -x mountpoint -x sharenfs -x sharesmb " +
			"-o atime=off -o com.acme:owner=me -o compression=zstd -o keylocation=prompt -o recsize=1M -o reservation=none -o volmode=none"},
		{ReceiveOptions{Volume: true}, "-x encryption " +
			"-o com.acme:owner=me -o compression=zstd -o keylocation=prompt -o reservation=none -o volblocksize=16K -o volmode=none"},
		{ReceiveOptions{Volume: true, Raw: true}, "-o com.acme:owner=me -o compression=zstd -o reservation=none -o volblocksize=16K -o volmode=none"},
	} {
		c.o.Set = all
		args, err := z.ReceiveArgs("p/a", c.o)
		if d := cmp.Diff("zfs receive -u -s "+c.want+" p/a", strings.Join(args, " ")); err != nil || d != "" {
			t.Errorf("volume %v, raw %v: %v, want -, got +:\n%s", c.o.Volume, c.o.Raw, err, d)
		}
	}
	if len(all) != 8 {
		t.Error("the caller's properties were changed")
	}
}
