package zfs

import (
	"bytes"
	"math"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
)

// versionLine is a line of name, guid and createtxg, within that line.
type versionLine struct {
	dataset, name []byte
	kind          dataset.Kind
	guid, txg     uint64
}

// readVersion reads a line without allocating: there may be millions. Most are
// of the same dataset as the line before, which is last. Where it is not ok, the
// line is no version's, or is wrong: version says how.
func readVersion(line []byte, last string) (l versionLine, ok bool) {
	at := len(last)
	if at == 0 || len(line) <= at || line[at] != '@' && line[at] != '#' || string(line[:at]) != last {
		if at = bytes.IndexAny(line, "@#\t"); at < 0 || line[at] == '\t' {
			return l, false
		}
	}
	rest := line[at+1:]
	tab := bytes.IndexByte(rest, '\t')
	if tab < 0 {
		return l, false
	}
	l = versionLine{dataset: line[:at], kind: dataset.Kind(line[at]), name: rest[:tab]}
	number, txg, more := bytes.Cut(rest[tab+1:], []byte{'\t'})
	if l.guid, ok = readNumber(number); !ok || l.guid == 0 || !more {
		return l, false
	}
	l.txg, ok = readNumber(txg)
	return l, ok
}

// safeDigits is how many digits always fit.
const safeDigits = 19

// readNumber reads decimal digits and nothing else, as strconv.ParseUint does.
func readNumber(text []byte) (n uint64, ok bool) {
	if len(text) == 0 {
		return 0, false
	}
	for i, c := range text {
		digit := uint64(c - '0')
		if digit > 9 || i >= safeDigits && (n > math.MaxUint64/10 || n*10 > math.MaxUint64-digit) {
			return 0, false
		}
		n = n*10 + digit
	}
	return n, true
}
