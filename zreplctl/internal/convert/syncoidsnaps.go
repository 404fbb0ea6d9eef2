package convert

import (
	"regexp"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
)

// prefix is how the names of sync snapshots begin here.
func (c *command) prefix() string {
	if c.identifier == "" {
		return "zsync_"
	}
	return "zsync_" + c.identifier + "_"
}

// chosen says which snapshots are replicated, as --include-snaps and
// --exclude-snaps do: one of the first must match, if there are any, and none of
// the others. The sync snapshots are included, too.
func (c *command) chosen() (lines []string) {
	size := 0
	var include, exclude []string
	for _, text := range c.snaps {
		if c.canChoose("include-snaps", text, false, &size) {
			include = append(include, "(?:"+text+")")
		}
	}
	if len(include) > 0 && !c.noSnapshot {
		include = append(include, "^"+regexp.QuoteMeta(c.prefix()))
	}
	for _, text := range c.withoutSnaps {
		if c.canChoose("exclude-snaps", text, true, &size) {
			exclude = append(exclude, text)
		}
	}
	if all := strings.Join(include, "|"); all != "" {
		if _, err := config.CheckPattern(all, false); err != nil {
			c.job.note(0, "--include-snaps: all of them together: %v", err)
		} else {
			lines = append(lines, "  regex: "+scalar(all))
		}
	}
	if len(exclude) > 0 {
		lines = append(lines, "  exclude: "+scalars(exclude))
	}
	if len(lines) > 0 {
		lines = append([]string{"snapshots:"}, lines...)
	}
	return lines
}

// canChoose reports whether a regex of Perl can be one here. The size is that of
// all before it.
func (c *command) canChoose(option, text string, exclude bool, size *int) bool {
	const most = 400 // of the 1,000 of a job, as the first are checked together, too
	n, err := config.CheckPattern(text, exclude)
	switch {
	case err != nil:
		c.job.note(0, "--%s=%s cannot be an expression here: %v", option, text, err)
		return false
	case *size+n > most:
		c.job.note(0, "--%s=%s is left out: there are too many", option, text)
		return false
	}
	*size += n
	return true
}
