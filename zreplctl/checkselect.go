package main

import (
	"context"
	"fmt"

	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/choose"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
)

// selections warns of jobs whose select chooses nothing, and of datasets that
// it would choose if their value had not come with a stream.
func selections(ctx context.Context, c *config.Config) (warnings []*config.Problem) {
	z, err := zfs.Find()
	if err != nil {
		return nil // which idleRules says
	}
	ctx, cancel := context.WithTimeout(ctx, datasetsPatience)
	defer cancel()
	for _, j := range c.Jobs {
		if j.Select == nil {
			continue
		}
		narrow, err := choose.Look(ctx, z, j)
		if err == nil {
			err = choose.None(narrow)
		}
		if err != nil {
			warnings = append(warnings, c.Problem(j, "select", fmt.Sprintf("select: %v", err)))
			continue
		}
		var received []string
		for _, name := range choose.Listed(narrow) {
			if got := narrow.Choices[name]; got.Received && got.Setting.Value == j.Select.Value {
				received = append(received, name)
			}
		}
		if len(received) > 0 {
			warnings = append(warnings, c.Problem(j, "select", fmt.Sprintf("select: %d datasets, such as %q, have %q only because a sender set it, and are not chosen: zfs set it here if they should be", len(received), received[0], j.Select)))
		}
	}
	return warnings
}
