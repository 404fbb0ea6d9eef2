package peek

import (
	"io/fs"
	"os"
	"syscall"
)

// dress gives a new file the owner and the attributes of the old one, and returns the
// mode that comes last: nobody else can open it before. Under another owner, a setuid
// bit would give the rights of that one, and the group's rights be those of strangers.
func (c *Copier) dress(out, in *os.File, path string, info fs.FileInfo) fs.FileMode {
	sameUser, sameGroup := takeOwner(out, info)
	if !sameUser || !sameGroup {
		c.note("cannot keep the owner of %q", path)
	}
	mighty := c.Setuid && sameUser && sameGroup
	c.attributes(out, in, path, mighty)
	mode := info.Mode()
	if !mighty && mode&(os.ModeSetuid|os.ModeSetgid) != 0 {
		c.note("dropped the setuid and setgid bits of %q", path)
		mode &^= os.ModeSetuid | os.ModeSetgid
	}
	if !sameGroup {
		mode &^= 0o070 &^ (mode << 3) // no more than others have
	}
	return mode
}

// takeOwner tries, and says what came of it.
func takeOwner(out *os.File, info fs.FileInfo) (sameUser, sameGroup bool) {
	uid, gid, ok := owner(info)
	if !ok {
		return false, false
	}
	if out.Chown(uid, gid) != nil {
		out.Chown(-1, gid)
	}
	now, err := out.Stat()
	if err != nil {
		return false, false
	}
	u, g, ok := owner(now)
	return ok && u == uid, ok && g == gid
}

func owner(info fs.FileInfo) (uid, gid int, ok bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, 0, false
	}
	return int(stat.Uid), int(stat.Gid), true
}
