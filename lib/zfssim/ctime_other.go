//go:build !linux

package zfssim

import (
	"io/fs"
	"time"
)

// changeTime says now: contents are then always compared.
func changeTime(fs.FileInfo) time.Time { return time.Now() }
