package zfssim

import "strings"

// A propdef is a native property.
type propdef struct {
	name     string
	def      string // default; "" with inherit false: computed
	inherit  bool
	readonly bool
	once     bool // only at creation
	takes    int
	values   string // allowed, by |; "" for anything, "size" and "number" for these
	column   string // header of zfs list
	right    bool   // right-aligned
}

const all4 = takeSet | takeSnapshot | takeBookmark

// propTable is in the order in which zfs get all prints.
var propTable = []propdef{
	{name: "type", readonly: true, takes: all4},
	{name: "creation", readonly: true, takes: all4},
	{name: "used", readonly: true, takes: takeSet | takeSnapshot, right: true},
	{name: "available", readonly: true, takes: takeSet, column: "AVAIL", right: true},
	{name: "referenced", readonly: true, takes: all4, column: "REFER", right: true},
	{name: "compressratio", readonly: true, takes: takeSet | takeSnapshot, column: "RATIO", right: true},
	{name: "mounted", readonly: true, takes: takeFS},
	{name: "origin", readonly: true, takes: takeSet},
	{name: "quota", def: "0", takes: takeFS, values: "size", right: true},
	{name: "reservation", def: "0", takes: takeSet, values: "size", column: "RESERV", right: true},
	{name: "volsize", takes: takeVolume | takeSnapshot, values: "size", right: true},
	{name: "volblocksize", def: "16384", once: true, takes: takeVolume, values: "size", column: "VOLBLOCK", right: true},
	{name: "recordsize", def: "131072", inherit: true, takes: takeFS, values: "size", column: "RECSIZE", right: true},
	{name: "mountpoint", inherit: true, takes: takeFS, values: "path"},
	{name: "sharenfs", def: "off", inherit: true, takes: takeFS},
	{name: "checksum", def: "on", inherit: true, takes: takeSet, values: "on|off|fletcher2|fletcher4|sha256|noparity|sha512|skein|edonr|blake3"},
	{name: "compression", def: "on", inherit: true, takes: takeSet, values: "on|off|lzjb|gzip|gzip-1|gzip-2|gzip-3|gzip-4|gzip-5|gzip-6|gzip-7|gzip-8|gzip-9|zle|lz4|zstd|zstd-fast", column: "COMPRESS"},
	{name: "atime", def: "on", inherit: true, takes: takeFS, values: "on|off"},
	{name: "devices", def: "on", inherit: true, takes: takeFS | takeSnapshot, values: "on|off"},
	{name: "exec", def: "on", inherit: true, takes: takeFS | takeSnapshot, values: "on|off"},
	{name: "setuid", def: "on", inherit: true, takes: takeFS | takeSnapshot, values: "on|off"},
	{name: "readonly", def: "off", inherit: true, takes: takeSet, values: "on|off", column: "RDONLY"},
	{name: "snapdir", def: "hidden", inherit: true, takes: takeFS, values: "hidden|visible|disabled"},
	{name: "aclmode", def: "discard", inherit: true, takes: takeFS, values: "discard|groupmask|passthrough|restricted"},
	{name: "aclinherit", def: "restricted", inherit: true, takes: takeFS, values: "discard|noallow|restricted|passthrough|passthrough-x"},
	{name: "createtxg", readonly: true, takes: all4, right: true},
	{name: "canmount", def: "on", takes: takeFS, values: "on|off|noauto"},
	{name: "xattr", def: "sa", inherit: true, takes: takeFS | takeSnapshot, values: "on|off|dir|sa"},
	{name: "copies", def: "1", inherit: true, takes: takeSet, values: "1|2|3"},
	{name: "sharesmb", def: "off", inherit: true, takes: takeFS},
	{name: "snapshot_limit", def: "none", takes: takeSet, values: "number", column: "SSLIMIT", right: true},
	{name: "filesystem_limit", def: "none", takes: takeFS, values: "number", column: "FSLIMIT", right: true},
	{name: "guid", readonly: true, takes: all4, right: true},
	{name: "primarycache", def: "all", inherit: true, takes: takeSet | takeSnapshot, values: "all|none|metadata"},
	{name: "secondarycache", def: "all", inherit: true, takes: takeSet | takeSnapshot, values: "all|none|metadata"},
	{name: "usedbysnapshots", readonly: true, takes: takeSet, column: "USEDSNAP", right: true},
	{name: "usedbydataset", readonly: true, takes: takeSet, column: "USEDDS", right: true},
	{name: "usedbychildren", readonly: true, takes: takeSet, column: "USEDCHILD", right: true},
	{name: "usedbyrefreservation", readonly: true, takes: takeSet, column: "USEDREFRESERV", right: true},
	{name: "logbias", def: "latency", inherit: true, takes: takeSet, values: "latency|throughput"},
	{name: "objsetid", readonly: true, takes: takeSet | takeSnapshot, right: true},
	{name: "dedup", def: "off", inherit: true, takes: takeSet, values: "on|off|verify|sha256|sha512"},
	{name: "sync", def: "standard", inherit: true, takes: takeSet, values: "standard|always|disabled"},
	{name: "dnodesize", def: "legacy", inherit: true, takes: takeFS, values: "legacy|auto|1k|2k|4k|8k|16k"},
	{name: "refquota", def: "0", takes: takeFS, values: "size", right: true},
	{name: "refreservation", def: "0", takes: takeSet, values: "size", column: "REFRESERV", right: true},
	{name: "written", readonly: true, takes: takeSet | takeSnapshot, right: true},
	{name: "logicalused", readonly: true, takes: takeSet, column: "LUSED", right: true},
	{name: "logicalreferenced", readonly: true, takes: takeSet | takeSnapshot, column: "LREFER", right: true},
	{name: "volmode", def: "default", inherit: true, takes: takeSet, values: "default|full|geom|dev|none"},
	{name: "snapdev", def: "hidden", inherit: true, takes: takeSet, values: "hidden|visible"},
	{name: "acltype", def: "off", inherit: true, takes: takeFS, values: "off|nfsv4|posix"},
	{name: "relatime", def: "on", inherit: true, takes: takeFS, values: "on|off"},
	{name: "redundant_metadata", def: "all", inherit: true, takes: takeSet, values: "all|most|some|none", column: "REDUND_MD"},
	{name: "overlay", def: "on", inherit: true, takes: takeFS, values: "on|off"},
	{name: "encryption", def: "off", once: true, takes: takeSet | takeSnapshot, values: "on|off|aes-128-ccm|aes-192-ccm|aes-256-ccm|aes-128-gcm|aes-192-gcm|aes-256-gcm"},
	{name: "keylocation", takes: takeSet},
	{name: "keyformat", once: true, takes: takeSet, values: "none|raw|hex|passphrase"},
	{name: "pbkdf2iters", once: true, takes: takeSet, values: "number", right: true},
	{name: "encryptionroot", readonly: true, takes: takeSet | takeSnapshot, column: "ENCROOT"},
	{name: "keystatus", readonly: true, takes: takeSet | takeSnapshot},
	{name: "special_small_blocks", def: "0", inherit: true, takes: takeSet, values: "size", right: true},
	{name: "userrefs", readonly: true, takes: takeSnapshot, right: true},
	{name: "defer_destroy", readonly: true, takes: takeSnapshot},
	{name: "clones", readonly: true, takes: takeSnapshot},
	{name: "receive_resume_token", readonly: true, takes: takeSet},
	{name: "snapshots_changed", readonly: true, takes: takeSet, right: true},
	{name: "name", readonly: true, takes: all4},
	{name: "casesensitivity", def: "sensitive", once: true, takes: takeFS | takeSnapshot, values: "sensitive|insensitive|mixed", column: "CASE"},
	{name: "normalization", def: "none", once: true, takes: takeFS | takeSnapshot, values: "none|formC|formD|formKC|formKD"},
	{name: "utf8only", def: "off", once: true, takes: takeFS | takeSnapshot, values: "on|off"},
	{name: "version", def: "5", takes: takeFS | takeSnapshot, values: "number", right: true},
}

var propAlias = map[string]string{
	"avail": "available", "refer": "referenced", "ratio": "compressratio", "reserv": "reservation",
	"volblock": "volblocksize", "recsize": "recordsize", "compress": "compression", "rdonly": "readonly",
	"refreserv": "refreservation", "usedds": "usedbydataset", "usedsnap": "usedbysnapshots",
	"usedchild": "usedbychildren", "usedrefreserv": "usedbyrefreservation", "lused": "logicalused",
	"lrefer": "logicalreferenced", "encroot": "encryptionroot", "enc": "encryption",
}

var propIndex = func() map[string]*propdef {
	m := map[string]*propdef{}
	for i := range propTable {
		m[propTable[i].name] = &propTable[i]
	}
	for alias, name := range propAlias {
		m[alias] = m[name]
	}
	return m
}()

// native returns the definition of a native property, or nil.
func native(name string) *propdef { return propIndex[strings.ToLower(name)] }

// native is the function, without the properties that this version does not
// know.
func (z *cmd) native(name string) *propdef {
	p := native(name)
	if p != nil && p.name == "snapshots_changed" && !z.trait().snapsChanged {
		return nil
	}
	return p
}

// isUser reports whether name is a legal name of a user property.
func isUser(name string) bool {
	if !strings.Contains(name, ":") || len(name) >= 256 || strings.HasPrefix(name, "-") {
		return false
	}
	for i := range len(name) {
		c := name[i]
		if !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || strings.IndexByte("-_.:+", c) >= 0) {
			return false
		}
	}
	return true
}

func (p *propdef) header() string {
	if p.column != "" {
		return p.column
	}
	return strings.ToUpper(p.name)
}
