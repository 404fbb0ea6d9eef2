package zfssim

import (
	"fmt"
	"strings"
)

const (
	maxName  = 255
	maxDepth = 50
)

// What kinds of name a place takes.
const (
	takeFS = 1 << iota
	takeVolume
	takeSnapshot
	takeBookmark
	takePool

	takeSet = takeFS | takeVolume
)

// badName says what libzfs would say of name (zfs_validate_name), or "".
func badName(name string, takes int, modifying bool) string {
	if why := badEntity(name); why != "" {
		return why
	}
	switch {
	case takes&takeSnapshot == 0 && strings.Contains(name, "@"):
		return "snapshot delimiter '@' is not expected here"
	case takes == takeSnapshot && !strings.Contains(name, "@"):
		return "missing '@' delimiter in snapshot name"
	case takes&takeBookmark == 0 && strings.Contains(name, "#"):
		return "bookmark delimiter '#' is not expected here"
	case takes == takeBookmark && !strings.Contains(name, "#"):
		return "missing '#' delimiter in bookmark name"
	case modifying && strings.Contains(name, "%"):
		return "invalid character % in name"
	}
	return ""
}

// badEntity is entity_namecheck of zfs_namecheck.c with libzfs's words.
func badEntity(name string) string {
	switch {
	case len(name) > maxName:
		return "name is too long"
	case strings.HasPrefix(name, "/"):
		return "leading slash in name"
	case name == "":
		return "empty component or misplaced '@' or '#' delimiter in name"
	}
	delimiters := 0
	part := ""
	for i := 0; i <= len(name); i++ {
		if i < len(name) && name[i] != '/' && name[i] != '@' && name[i] != '#' {
			if !legalChar(name[i]) {
				return fmt.Sprintf("invalid character '%c' in name", name[i])
			}
			part += string(rune(name[i]))
			continue
		}
		if i < len(name) && name[i] != '/' {
			if delimiters++; delimiters > 1 {
				return "multiple '@' and/or '#' delimiters in name"
			}
		}
		if part == "" {
			if i == len(name) && name[i-1] == '/' {
				return "trailing slash in name"
			}
			return "empty component or misplaced '@' or '#' delimiter in name"
		}
		if part == "." {
			return "self reference, '.' is found in name"
		}
		if part == ".." {
			return "parent reference, '..' is found in name"
		}
		part = ""
		if i < len(name) && name[i] == '/' && delimiters > 0 {
			return "trailing slash in name"
		}
	}
	return ""
}

func legalChar(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		strings.IndexByte("-_.: %", c) >= 0
}

func depthOf(name string) int { return strings.Count(name, "/") + 1 }

// An object is what a name given to list, get or set stands for.
type object struct {
	d *ds
	v *version // nil for a dataset
}

func (o object) name() string {
	if o.v != nil {
		return o.v.full(o.d)
	}
	return o.d.name
}

func (o object) take() int {
	switch {
	case o.v == nil && o.d.Volume:
		return takeVolume
	case o.v == nil:
		return takeFS
	case o.v.kind == '@':
		return takeSnapshot
	}
	return takeBookmark
}

// open is zfs_open: it finds what name stands for, or says why not.
func (z *cmd) openObject(t *tx, name string, takes int) (object, bool) {
	if why := badName(name, takes, false); why != "" {
		z.fail(1, "cannot open '%s': %s", name, why)
		return object{}, false
	}
	o, found := t.object(name)
	switch {
	case !found:
		z.fail(1, "cannot open '%s': dataset does not exist", name)
	case o.take()&takes == 0:
		z.fail(1, "cannot open '%s': operation not applicable to datasets of this type", name)
	default:
		return o, true
	}
	return object{}, false
}

func (t *tx) object(name string) (object, bool) {
	if strings.ContainsAny(name, "@#") {
		d, v := t.lookup(name)
		return object{d, v}, v != nil
	}
	d := t.get(name)
	if base, ok := strings.CutSuffix(name, "/%recv"); ok && d == nil {
		if p := t.get(base); p != nil && p.Partial != nil && !p.New {
			hidden := *p
			hidden.name = name
			return object{d: &hidden}, true
		}
	}
	return object{d: d}, d != nil
}
