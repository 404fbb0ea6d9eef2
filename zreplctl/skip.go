package main

import (
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/cli"
)

// parseSkip reads the value of -skip.
func parseSkip(text string) (map[string]bool, error) {
	skip := map[string]bool{}
	if text == "" {
		return skip, nil
	}
	for part := range strings.SplitSeq(text, ",") {
		switch part {
		case "snapshot", "replicate", "prune":
			skip[part] = true
		default:
			return nil, cli.Usagef("-skip %q: parts are snapshot, replicate, prune", part)
		}
	}
	return skip, nil
}
