// Package pack compresses streams by zstd(1), and decompresses those that
// strangers have made, in bounded memory.
//
// It promises that only one whole frame of RFC 8878 reaches the decompressor,
// with a window of at most [MaxWindow]: zstd(1) itself would also read other
// formats, and any number of frames.
package pack

import (
	"fmt"
	"strconv"
	"strings"
)

// Zstd is the only way to compress there is, as headers and requests call it.
const Zstd = "zstd"

// The levels of zstd(1) that may be asked for. Higher ones need a larger window
// than a receiver accepts.
const (
	minLevel, maxLevel = 1, 19
	defaultLevel       = 3
)

// Method is how a stream is compressed: "zstd", or "zstd-LEVEL". The zero value
// is not at all.
type Method string

// Parse reads a method, or "off".
func Parse(s string) (Method, error) {
	if s == "off" {
		return "", nil
	}
	if s == Zstd {
		return Zstd, nil
	}
	level, ok := strings.CutPrefix(s, Zstd+"-")
	if n, err := strconv.Atoi(level); ok && err == nil && n >= minLevel && n <= maxLevel && strconv.Itoa(n) == level {
		return Method(s), nil
	}
	return "", fmt.Errorf("%q is not off, zstd, or zstd-LEVEL with a level from %d to %d", s, minLevel, maxLevel)
}

// String is what Parse reads.
func (m Method) String() string {
	if m == "" {
		return "off"
	}
	return string(m)
}

// compress is the command that compresses. It has one thread, whatever the
// version and the environment say: each stream has one.
func (m Method) compress() []string {
	level, ok := strings.CutPrefix(string(m), Zstd+"-")
	if !ok {
		level = strconv.Itoa(defaultLevel)
	}
	return []string{Zstd, "-q", "-c", "-T1", "-" + level, "-"}
}

// decompress is the command that decompresses.
func decompress() []string {
	return []string{Zstd, "-q", "-d", "-c", fmt.Sprintf("--memory=%dMB", MaxWindow>>20), "-"}
}
