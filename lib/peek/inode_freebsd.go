package peek

import (
	"io/fs"
	"syscall"
	"time"
)

func inodeOf(info fs.FileInfo) inode {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return inode{}
	}
	return inode{stat.Ino, time.Unix(stat.Ctimespec.Unix()).UTC()}
}
