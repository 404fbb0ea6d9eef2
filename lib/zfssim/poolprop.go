package zfssim

import (
	"slices"
	"strconv"
	"strings"
)

// poolColumns are the pool properties and the headers they have in zpool list.
var poolColumns = map[string]string{
	"name": "NAME", "size": "SIZE", "allocated": "ALLOC", "free": "FREE", "checkpoint": "CKPOINT",
	"expandsize": "EXPANDSZ", "fragmentation": "FRAG", "capacity": "CAP", "dedupratio": "DEDUP",
	"health": "HEALTH", "altroot": "ALTROOT", "guid": "GUID", "readonly": "RDONLY", "ashift": "ASHIFT",
	"version": "VERSION", "comment": "COMMENT", "autoexpand": "EXPAND", "autotrim": "AUTOTRIM",
	"bootfs": "BOOTFS", "cachefile": "CACHEFILE", "delegation": "DELEGATION", "failmode": "FAILMODE",
	"freeing": "FREEING", "leaked": "LEAKED", "listsnapshots": "LISTSNAPS", "multihost": "MULTIHOST",
}

var poolAlias = map[string]string{
	"alloc": "allocated", "ckpoint": "checkpoint", "expandsz": "expandsize", "frag": "fragmentation",
	"cap": "capacity", "dedup": "dedupratio", "rdonly": "readonly", "listsnaps": "listsnapshots",
}

var poolDefaults = map[string]string{
	"version": "-", "comment": "-", "autoexpand": "off", "autotrim": "off", "bootfs": "-", "cachefile": "-",
	"delegation": "on", "failmode": "wait", "listsnapshots": "off", "multihost": "off", "ashift": "0",
}

// poolProp returns a pool property's value and source.
func (t *tx) poolProp(p *pool, name string, exact bool) (text, source string) {
	num := func(n uint64) string {
		if exact {
			return strconv.FormatUint(n, 10)
		}
		return bytesText(n)
	}
	used := func() uint64 { return t.used(t.get(p.Name)) }
	switch name {
	case "name":
		return p.Name, "-"
	case "size":
		return num(p.Size), "-"
	case "allocated":
		return num(used()), "-"
	case "free":
		return num(sub(p.Size, used())), "-"
	case "checkpoint", "expandsize":
		return "-", "-"
	case "fragmentation":
		return percent(0, exact), "-"
	case "capacity":
		return percent(used()*100/max(p.Size, 1), exact), "-"
	case "dedupratio":
		if exact {
			return "1.00", "-"
		}
		return "1.00x", "-"
	case "health":
		return "ONLINE", "-"
	case "guid":
		return strconv.FormatUint(p.GUID, 10), "-"
	case "load_guid":
		return strconv.FormatUint(p.Load, 10), "-"
	case "readonly":
		return onOff(p.ReadOnly), "-"
	case "freeing", "leaked":
		return "0", "-"
	case "altroot":
		if p.Altroot == "" {
			return "-", "default"
		}
		return p.Altroot, "local"
	}
	if v, ok := p.Props[name]; ok && !strings.HasPrefix(name, "feature@") {
		return v, "local"
	}
	if feature, ok := strings.CutPrefix(name, "feature@"); ok {
		if state := p.feature(feature); state != "enabled" || !t.inUse(p, feature) {
			return state, "local"
		}
		return "active", "local"
	}
	return or(poolDefaults[name], "-"), "default"
}

// activeFrom are the features that are active as soon as they are enabled.
var activeFrom = []string{"lz4_compress", "embedded_data", "extensible_dataset"}

// feature is a feature's state.
func (p *pool) feature(name string) string {
	state, set := p.Props["feature@"+name]
	switch {
	case p.Features == "legacy" && !set, state == "disabled":
		return "disabled"
	case slices.Contains(activeFrom, name):
		return "active"
	}
	return "enabled"
}

// inUse reports whether a dataset makes a feature active.
func (t *tx) inUse(p *pool, feature string) bool {
	return slices.ContainsFunc(t.tree(p.Name, -1), func(d *ds) bool {
		return feature == "large_blocks" && d.large() || feature == "encryption" && d.Crypt != "" ||
			feature == "zstd_compress" && strings.HasPrefix(d.Props["compression"], "zstd")
	})
}

// lacks reports whether a stream with these flags needs a feature that the
// pool has not.
func (p *pool) lacks(flags uint64, resumable bool) bool {
	need := map[string]bool{
		"extensible_dataset": resumable || flags&featureResuming != 0,
		"lz4_compress":       flags&featureLZ4 != 0,
		"embedded_data":      flags&featureEmbed != 0,
		"large_blocks":       flags&featureLarge != 0,
		"encryption":         flags&featureRaw != 0,
	}
	for name, needed := range need {
		if needed && p.feature(name) == "disabled" {
			return true
		}
	}
	return false
}

func percent(n uint64, exact bool) string {
	if exact {
		return strconv.FormatUint(n, 10)
	}
	return strconv.FormatUint(n, 10) + "%"
}
