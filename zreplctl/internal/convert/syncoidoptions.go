package convert

import (
	"path"
	"regexp"
	"strconv"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
)

// syncoidOptions says whether an option has a value.
var syncoidOptions = map[string]bool{
	"recursive": false, "r": false, "skip-parent": false, "no-stream": false, "no-sync-snap": false, "keep-sync-snap": false,
	"create-bookmark": false, "use-hold": false, "preserve-recordsize": false, "preserve-properties": false, "no-rollback": false,
	"delete-target-snapshots": false, "no-privilege-elevation": false, "no-resume": false, "no-clone-handling": false, "force-delete": false,
	"no-command-checks": false, "quiet": false, "debug": false, "version": false, "help": false, "dumpsnaps": false, "monitor-version": false,
	"compress": true, "identifier": true, "source-bwlimit": true, "target-bwlimit": true, "mbuffer-size": true, "pv-options": true,
	"exclude": true, "exclude-datasets": true, "exclude-snaps": true, "include-snaps": true, "sendoptions": true, "recvoptions": true,
	"sshkey": true, "sshport": true, "sshcipher": true, "c": true, "sshoption": true, "o": true, "sshconfig": true, "insecure-direct-connection": true,
}

// choices are what the options say.
type choices struct {
	recursive, skipParent, noSnapshot, keepSnapshots, bookmark, noSudo, noRollback bool
	raw, large, compressed, embedded                                               bool
	identifier, key, properties                                                    string
	port                                                                           uint64
	rate                                                                           int64
	compress                                                                       string // how, on the way
	ssh, excluded, exclude, override                                               []string
	snaps, withoutSnaps                                                            []string // by regexes
	remote                                                                         []string // jobs of the other host
}

// read reads all options. Each that has no equal is noted.
func (c *command) read(opts []option) {
	for _, o := range opts {
		if !c.plain(o.name) && !c.ssh1(o) {
			c.valued(o)
		}
	}
	if !c.noRollback {
		c.job.note(0, "syncoid rolls a changed target back; zreplctl never does: it reports the copy as modified or diverged, see zrepl-recovery(7)")
	}
}

// plain reads an option without a value, and reports whether it is one.
func (c *command) plain(name string) bool {
	switch name {
	case "recursive", "r":
		c.recursive = true
	case "skip-parent":
		c.skipParent = true
	case "no-sync-snap":
		c.noSnapshot = true
	case "keep-sync-snap":
		c.keepSnapshots = true
	case "create-bookmark":
		c.bookmark = true
	case "no-privilege-elevation":
		c.noSudo = true
	case "preserve-properties":
		c.properties = "all"
	case "preserve-recordsize":
		if c.properties == "" {
			c.properties = "[recordsize]"
		}
	case "no-rollback":
		c.noRollback = true
	case "use-hold", "no-clone-handling": // as here
		c.job.remark("--%s: as here.", name)
	default:
		if syncoidOptions[name] {
			return false
		}
		c.job.note(0, "--%s has no equal", name)
	}
	return true
}

// ssh1 reads an option for ssh, and reports whether it is one.
func (c *command) ssh1(o option) bool {
	switch o.name {
	case "sshkey":
		if !path.IsAbs(o.value) {
			c.job.note(0, "--sshkey=%s: a path here is absolute: name the key as identity_file", o.value)
			return true
		}
		c.key = o.value
	case "sshport":
		n, err := strconv.ParseUint(o.value, 10, 16)
		if err != nil || n == 0 {
			c.job.note(0, "--sshport=%s is no port", o.value)
		}
		c.port = n
	case "sshcipher", "c":
		c.ssh = append(c.ssh, "Ciphers="+o.value)
	case "sshoption", "o":
		c.ssh = append(c.ssh, o.value)
	default:
		return false
	}
	return true
}

var bandwidth = regexp.MustCompile(`^([0-9]{1,12})([kKmMgGtT]?)[bB]?$`)

func (c *command) valued(o option) {
	switch o.name {
	case "identifier":
		if dataset.CheckShort(o.value) != nil || len(o.value) > 64 {
			c.job.note(0, "--identifier=%s cannot be part of a snapshot's name", o.value)
			return
		}
		c.identifier = o.value
	case "source-bwlimit":
		m := bandwidth.FindStringSubmatch(o.value)
		if m == nil {
			c.job.note(0, "--source-bwlimit=%s is no number of bytes a second", o.value)
			return
		}
		c.rate, _ = strconv.ParseInt(m[1], 10, 64)
		c.rate <<= 10 * max(0, strings.Index(" KMGT", strings.ToUpper(m[2] + " ")[:1]))
	case "exclude", "exclude-datasets":
		c.leaveOut(o)
	case "compress":
		c.compress = o.value
	case "include-snaps":
		c.snaps = append(c.snaps, o.value)
	case "exclude-snaps":
		c.withoutSnaps = append(c.withoutSnaps, o.value)
	case "sendoptions":
		c.send(o.value)
	case "recvoptions":
		c.recv(strings.Fields(o.value))
	default:
		c.job.note(0, "--%s=%s has no equal", o.name, o.value)
	}
}

// leaveOut turns a regex into a rule if it means one dataset, or one and all
// below it.
func (c *command) leaveOut(o option) {
	start, end := strings.HasPrefix(o.value, "^"), strings.HasSuffix(o.value, "$")
	expr := strings.TrimSuffix(strings.TrimPrefix(o.value, "^"), "$")
	re, err := regexp.Compile(expr)
	name, whole := "", false
	if err == nil {
		name, whole = re.LiteralPrefix()
	}
	name = strings.TrimSuffix(name, "/")
	switch {
	case !whole || dataset.CheckName(name) != nil || !dataset.Within(name, c.source.dataset) || name == c.source.dataset:
		c.job.note(0, "--%s=%s: rules here name datasets, and this names none below %s: what it left out is replicated until you add rules such as \"%s/NAME<\": \"!\"", o.name, o.value, c.source.dataset, c.source.dataset)
	case start && end:
		c.excluded = append(c.excluded, name)
	default:
		c.excluded = append(c.excluded, name+"<")
		c.job.note(0, "--%s=%s leaves out %s and all below it here; the regex matches other names that hold it, too", o.name, o.value, name)
	}
}

// send reads the options of zfs send.
func (c *command) send(text string) {
	for _, word := range strings.Fields(text) {
		for _, letter := range strings.TrimLeft(word, "-") {
			switch letter {
			case 'w':
				c.raw = true
			case 'L':
				c.large = true
			case 'c':
				c.compressed = true
			case 'e':
				c.embedded = true
			case 'p':
				c.properties = "all"
			default:
				c.job.note(0, "--sendoptions: %c of %q has no equal", letter, word)
			}
		}
	}
}

// recv reads the options of zfs receive.
func (c *command) recv(all []string) {
	for i := 0; i < len(all); i++ {
		word := strings.TrimLeft(all[i], "-")
		value := ""
		if len(word) == 1 && strings.Contains("ox", word) && i+1 < len(all) {
			i++
			value = all[i]
		} else if len(word) > 1 && (word[0] == 'o' || word[0] == 'x') {
			word, value = word[:1], word[1:]
		}
		name, set, _ := strings.Cut(value, "=")
		switch {
		case word == "u": // copies are never mounted here
		case word == "o" && canOverride(name, set):
			c.override = append(c.override, "    "+scalar(name)+": "+strconv.Quote(set))
		case word == "x" && canOverride(name, "none"):
			c.exclude = append(c.exclude, name)
		default:
			c.job.note(0, "--recvoptions: %q has no equal", strings.TrimSpace(word+" "+value))
		}
	}
}
