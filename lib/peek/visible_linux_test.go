package peek

import (
	"os"
	"strings"
	"testing"
)

// What somebody has put where a snapshot is expected is not taken for it.
func TestVisibleIsNoOther(t *testing.T) {
	mountpoint := t.TempDir()
	write(t, mountpoint+"/.zfs/snapshot/s1/file", "forged")
	must(t, os.Symlink("/etc", mountpoint+"/.zfs/snapshot/s2"))
	must(t, os.Symlink("/proc", mountpoint+"/.zfs/snapshot/s3")) // the top of a mount, of something else
	for _, full := range []string{"tank/a@s1", "tank/a@s2", "tank/a@s3", "tank/a@none"} {
		if s, err := Visible(mountpoint, full); err == nil {
			s.Close()
			t.Errorf("%s was taken", full)
		}
	}
}

func TestMountSource(t *testing.T) {
	const info = `22 1 0:20 / /proc rw,nosuid shared:5 - proc proc rw
31 22 0:30 / /tank/a/.zfs/snapshot/s1 rw,relatime - zfs tank/a@s1 ro,xattr
32 22 0:31 / /tank/my\\040home rw shared:1 master:2 - zfs tank/my\\040home rw
33 22 0:30 /sub /bind rw - zfs tank/a@s1 ro
34 22 0:40 / /home/eve/x rw - fuse tank/a@s1 rw
`
	mounts := strings.ReplaceAll(info, `\\`, `\`)
	for id, want := range map[uint64]string{22: "", 31: "tank/a@s1", 32: "tank/my home", 33: "", 34: "", 3: ""} {
		if got, err := mountSource(strings.NewReader(mounts), id); got != want || (err == nil) != (want != "") {
			t.Errorf("%d: %q, %v", id, got, err)
		}
	}
}
