package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
)

// datasetsPatience is how long zfs may take to list all datasets.
const datasetsPatience = time.Minute

// idleRules warns of the rules about datasets of this host that match none of
// them. Such a name is misspelt, perhaps, and then what was meant has no copy,
// or is sent though it should not be. Without a ZFS that answers, note says that
// nobody looked.
func idleRules(ctx context.Context, c *config.Config) (warnings []*config.Problem, note string) {
	if !slices.ContainsFunc(c.Jobs, func(j *config.Job) bool { return hasSource(j) }) {
		return nil, ""
	}
	here, err := datasetsHere(ctx)
	if err != nil {
		return nil, fmt.Sprintf("cannot look for the datasets that the rules name: %v", err)
	}
	pools := map[string]bool{}
	for _, name := range here {
		pools[dataset.Pool(name)] = true
	}
	for _, j := range c.Jobs {
		if !hasSource(j) {
			continue
		}
		key := j.Sides()[0].Key
		for _, rule := range j.Sources().Unmatched(here) {
			path := rule.Path()
			if !pools[dataset.Pool(path)] && slices.Contains(j.Sources().Named(), path) {
				continue // a missing pool is a warning of its own
			}
			text := fmt.Sprintf("%s: no dataset matches %q", key, rule.Pattern)
			if close := config.Nearest(path, asDeep(path, here)); close != "" {
				text += fmt.Sprintf(": did you mean %q?", close)
			}
			warnings = append(warnings, c.Problem(j, key, text))
		}
	}
	return warnings, ""
}

// asDeep leaves of the datasets those that are as deep as path: in a misspelt
// name the slashes are right.
func asDeep(path string, here []string) (names []string) {
	for _, name := range here {
		if strings.Count(name, "/") == strings.Count(path, "/") {
			names = append(names, name)
		}
	}
	return names
}

// hasSource reports whether a job's rules are about datasets of this host.
func hasSource(j *config.Job) bool {
	sides := j.Sides()
	return len(sides) > 0 && sides[0].Name == config.SourceSide
}

func datasetsHere(ctx context.Context) (names []string, err error) {
	z, err := zfs.Find()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, datasetsPatience)
	defer cancel()
	return z.Names(ctx, nil)
}
