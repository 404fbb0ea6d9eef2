package zfssim

import (
	"slices"
	"strconv"
	"strings"
)

// checkSettings is zfs_valid_proplist: it says whether every property may be
// set on a dataset of this kind, and returns the values as they are stored.
// verb is create, set or receive, for the first half of the message.
func (z *cmd) checkSettings(t *tx, name string, props map[string]string, takes int, verb string) (map[string]string, bool) {
	out := map[string]string{}
	for _, prop := range sortedKeys(props) {
		text, why := z.checkSetting(prop, props[prop], takes, verb)
		if why == "" {
			out[canonical(prop)] = text
			continue
		}
		z.fail(1, "%s: %s", settingFor(verb, name), why)
		return nil, false
	}
	return out, true
}

func canonical(prop string) string {
	if p := native(prop); p != nil {
		return p.name
	}
	return prop
}

func settingFor(verb, name string) string {
	switch verb {
	case "set":
		return "cannot set property for '" + name + "'"
	case "receive":
		return "cannot receive"
	case "snapshot":
		return "cannot create snapshots "
	}
	return "cannot " + verb + " '" + name + "'"
}

func (z *cmd) checkSetting(prop, text string, takes int, verb string) (stored, why string) {
	p := native(prop)
	if p == nil {
		return checkUserSetting(prop, text)
	}
	switch {
	case takes == takeSnapshot:
		return "", "this property can not be modified for snapshots"
	case p.takes&takes == 0:
		return "", "'" + p.name + "' does not apply to datasets of this type"
	case p.readonly, p.once && verb == "set":
		return "", "'" + p.name + "' is readonly"
	}
	if n, ok := parseSize(text); ok && p.name == "recordsize" && (n < 512 || n > z.trait().maxRecord || n&(n-1) != 0) {
		return "", "'recordsize' must be power of 2 from 512B to " + nice(z.trait().maxRecord)
	}
	if n, err := strconv.ParseUint(text, 10, 64); p.name == "pbkdf2iters" && err == nil && n < 100000 {
		return "", "minimum pbkdf2 iterations is 100000"
	}
	if p.name == "refreservation" && text == "auto" && takes != takeVolume {
		return "", "'refreservation=auto' only allowed on volumes"
	}
	return checkValue(p, text)
}

func checkUserSetting(prop, text string) (stored, why string) {
	switch {
	case strings.Contains(prop, ":") && len(prop) >= 256:
		return "", "property name '" + prop + "' is too long"
	case !isUser(prop):
		return "", "invalid property '" + prop + "'"
	case len(text) >= 8192:
		return "", "property value '" + text + "' is too long"
	}
	return text, ""
}

// valueAlias are second words for values.
var valueAlias = map[string]string{"acltype=posixacl": "posix", "acltype=noacl": "off"}

func checkValue(p *propdef, text string) (stored, why string) {
	text = or(valueAlias[p.name+"="+text], text)
	if p.name == "compression" && compressionWord(text) {
		return text, ""
	}
	switch p.values {
	case "":
		return text, ""
	case "size":
		n, ok := parseSize(text)
		switch {
		case text == "auto" && p.name == "refreservation":
			return text, ""
		case !ok:
			return "", "bad numeric value '" + text + "'"
		case text == "none" && (p.name == "volsize" || p.name == "recordsize"):
			return "", "'none' is disallowed for property"
		case p.name == "volblocksize" && (n < 512 || n > 128<<10 || n&(n-1) != 0):
			return "", "'volblocksize' must be power of 2 from 512B to 128K"
		}
		return strconv.FormatUint(n, 10), ""
	case "number":
		if text == "none" {
			return text, ""
		}
		if _, err := strconv.ParseUint(text, 10, 64); err != nil {
			return "", "bad numeric value '" + text + "'"
		}
		return text, ""
	case "path":
		if text != "none" && text != "legacy" && !strings.HasPrefix(text, "/") {
			return "", "'mountpoint' must be an absolute path, 'none', or 'legacy'"
		}
		return text, ""
	}
	if !slices.Contains(strings.Split(p.values, "|"), text) {
		return "", "'" + p.name + "' must be one of '" + p.allowed() + "'"
	}
	return text, ""
}

// allowed lists a property's values as libzfs's tables word them.
func (p *propdef) allowed() string {
	if p.name == "compression" {
		return "on | off | lzjb | gzip | gzip-[1-9] | zle | lz4 | zstd | zstd-[1-19] | zstd-fast | zstd-fast-[1-10,20,30,40,50,60,70,80,90,100,500,1000]"
	}
	return strings.ReplaceAll(p.values, "|", " | ")
}

func compressionWord(text string) bool {
	level, ok := strings.CutPrefix(text, "zstd-")
	if !ok {
		return false
	}
	n, err := strconv.Atoi(strings.TrimPrefix(level, "fast-"))
	return err == nil && n >= 1 && (n <= 19 || strings.HasPrefix(level, "fast-"))
}
