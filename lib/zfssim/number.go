package zfssim

import (
	"fmt"
	"strconv"
	"strings"
)

// nice is zfs_nicenum: at most five characters.
func nice(n uint64) string {
	if n < 1024 {
		return strconv.FormatUint(n, 10)
	}
	unit, div := 0, uint64(1)
	for n/div >= 1024 && unit < 6 {
		div *= 1024
		unit++
	}
	suffix := "BKMGTPE"[unit : unit+1]
	if n%div == 0 {
		return strconv.FormatUint(n/div, 10) + suffix
	}
	f := float64(n) / float64(div)
	for digits := 2; digits >= 0; digits-- {
		if s := fmt.Sprintf("%.*f%s", digits, f, suffix); len(s) <= 5 {
			return s
		}
	}
	return strconv.FormatUint(n/div, 10) + suffix
}

// parseSize reads 128K, 1.5G, 512 or none; and whether it is a size at all.
func parseSize(s string) (uint64, bool) {
	if s == "none" {
		return 0, true
	}
	i := strings.IndexFunc(s, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
	num, unit := s, ""
	if i >= 0 {
		num, unit = s[:i], strings.ToUpper(s[i:])
	}
	f, err := strconv.ParseFloat(num, 64)
	if err != nil {
		return 0, false
	}
	unit = strings.TrimSuffix(strings.TrimSuffix(unit, "IB"), "B")
	at := strings.Index("KMGTPE", unit)
	if at < 0 || len(unit) > 1 {
		return 0, false
	}
	if unit == "" {
		return uint64(f), f == float64(uint64(f))
	}
	for range at + 1 {
		f *= 1024
	}
	return uint64(f), true
}
