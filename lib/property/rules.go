package property

import (
	"fmt"
	"slices"
	"strings"
)

// Rules say which properties a receiver takes: those that Take names, less
// those that Exclude names. A name may end in * and stands then for all that
// begin so; * alone stands for every property that can be taken. A property
// that makes a known program act is only taken if Take has its full name.
type Rules struct {
	Take, Exclude []string
}

// Any reports whether something is taken at all.
func (r Rules) Any() bool { return len(r.Take) > 0 }

// Takes reports whether the rules take a property.
func (r Rules) Takes(name string) bool {
	if Check(name) != nil || named(r.Exclude, name) {
		return false
	}
	return slices.Contains(r.Take, name) || !Acts(name) && named(r.Take, name)
}

// acting begin the names of user properties on which known programs act, also
// on a dataset that is not mounted: they make units, add swap, start jails or
// kernels, or take and destroy snapshots.
var acting = []string{
	"com.sun:auto-snapshot", // zfs-auto-snapshot
	"com.ubuntu.zsys:",      // zsys
	"org.debian:",           // zfsutils-linux's cron jobs
	"org.freebsd.ioc:",      // iocage
	"org.freebsd:",          // swap of FreeBSD's rc.d/zvol
	"org.openzfs.systemd:",  // zfs-mount-generator
	"org.opensolaris.",      // beadm, time-slider
	"org.zfsbootmenu:",      // ZFSBootMenu
	"org.znapzend:",         // znapzend
	"syncoid:",              // syncoid
	"zrepl:",                // zrepl's placeholders
}

// Acts reports whether a known program acts on a property of this name.
func Acts(name string) bool {
	return slices.ContainsFunc(acting, func(start string) bool { return strings.HasPrefix(name, start) })
}

func named(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		start, many := strings.CutSuffix(p, "*")
		return p == name || many && strings.HasPrefix(name, start)
	})
}

// CheckPattern says what is wrong with a name of Rules, or nil.
func CheckPattern(p string) error {
	start, many := strings.CutSuffix(p, "*")
	switch {
	case !many:
		return Check(p)
	case start == "":
		return nil
	case strings.HasPrefix(start, Prefix):
		return fmt.Errorf("%q: these properties belong to zreplctl", p)
	case !IsUser(start+":") && !IsUser(start):
		return fmt.Errorf("%q does not name properties", p)
	}
	return nil
}
