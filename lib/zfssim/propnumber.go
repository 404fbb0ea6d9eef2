package zfssim

import (
	"strconv"
	"strings"
)

// Packages carry native properties as numbers, but for those that are text
// (zfs_prop.c).

// propWords are the values of properties that have words, by their numbers;
// "" is one that is not used.
var propWords = map[string]string{
	"checksum":           "|on|off||||fletcher2|fletcher4|sha256||noparity|sha512|skein|edonr|blake3",
	"compression":        "|on|off|lzjb||gzip-1|gzip-2|gzip-3|gzip-4|gzip-5|gzip|gzip-7|gzip-8|gzip-9|zle|lz4|zstd",
	"snapdir":            "hidden|visible|disabled",
	"aclmode":            "discard||groupmask|passthrough|restricted",
	"aclinherit":         "discard|noallow||passthrough|restricted|passthrough-x",
	"canmount":           "off|on|noauto",
	"xattr":              "off|dir|sa",
	"copies":             "|1|2|3",
	"primarycache":       "none|metadata|all",
	"secondarycache":     "none|metadata|all",
	"logbias":            "latency|throughput",
	"sync":               "standard|always|disabled",
	"dnodesize":          "legacy|auto",
	"volmode":            "default|full|dev|none",
	"snapdev":            "hidden|visible",
	"acltype":            "off|posix|nfsv4",
	"redundant_metadata": "all|most|some|none",
	"casesensitivity":    "sensitive|insensitive|mixed",
	"normalization":      "none",
}

// propKind says how a native property is carried.
func propKind(p *propdef) (words []string, number bool) {
	switch {
	case p.values == "on|off":
		return []string{"off", "on"}, true
	case propWords[p.name] != "":
		return strings.Split(propWords[p.name], "|"), true
	}
	return nil, p.values == "size" || p.values == "number"
}

// propNumber is a property's value as a package carries it.
func propNumber(name, text string) (uint64, bool) {
	p := native(name)
	if p == nil {
		return 0, false
	}
	words, number := propKind(p)
	for i, w := range words {
		if w == text && w != "" {
			return uint64(i), true
		}
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if text == "none" {
		n, err = 0, nil
	}
	return n, number && words == nil && err == nil
}

// propText is the value that came as a number; not where the property has
// no such one.
func propText(p *propdef, n uint64) (string, bool) {
	words, number := propKind(p)
	switch {
	case words != nil && (n >= uint64(len(words)) || words[n] == ""):
		return "", false
	case words != nil:
		return words[n], true
	}
	return strconv.FormatUint(n, 10), number
}
