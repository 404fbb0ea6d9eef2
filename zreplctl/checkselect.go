package main

import (
	"context"
	"fmt"

	"github.com/zrepl-tools/zrepl-tools/lib/clean"
	"github.com/zrepl-tools/zrepl-tools/lib/plural"
	"github.com/zrepl-tools/zrepl-tools/lib/property"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/choose"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
)

// selections warns of jobs whose select chooses nothing, and of datasets that it
// does not choose though somebody means it to, most likely.
func selections(ctx context.Context, c *config.Config) (warnings []*config.Problem) {
	z, err := zfs.Find()
	if err != nil {
		return nil // which idleRules says
	}
	ctx, cancel := context.WithTimeout(ctx, datasetsPatience)
	defer cancel()
	used := map[property.Selector]bool{}
	for _, j := range c.Jobs {
		if j.Select != nil {
			used[*j.Select] = true
		}
	}
	for _, j := range c.Jobs {
		if j.Select == nil {
			continue
		}
		for _, text := range selection(ctx, z, j, used) {
			warnings = append(warnings, c.Problem(j, "select", "select: "+text))
		}
	}
	return warnings
}

// selection are the warnings about one job. Used are the selectors of all jobs.
func selection(ctx context.Context, z *zfs.ZFS, j *config.Job, used map[property.Selector]bool) (texts []string) {
	narrow, err := choose.Look(ctx, z, j)
	if err != nil {
		return []string{err.Error()}
	}
	if err := choose.None(narrow); err != nil {
		texts = append(texts, err.Error())
	} else if names := choose.Received(narrow); len(names) > 0 { // None says that, too
		texts = append(texts, fmt.Sprintf("%q does not choose %s, such as %q, where only a sender has set it: zfs set it here if it should", j.Select, plural.Of(len(names), "dataset"), names[0]))
	}
	if text := misspelt(narrow, used); text != "" {
		texts = append(texts, text)
	}
	switch names, err := choose.Hidden(ctx, z, narrow); {
	case err != nil:
		texts = append(texts, err.Error())
	case len(names) > 0:
		texts = append(texts, fmt.Sprintf("%q does not choose %s, such as %q, where a sender has set another value, which hides the one set here above: zfs set or zfs inherit it there if it should", j.Select, plural.Of(len(names), "dataset"), names[0]))
	}
	return texts
}

// misspelt warns of values that look like that of select. One that another job
// chooses by is meant as it is.
func misspelt(j *config.Job, used map[property.Selector]bool) string {
	n, first := 0, ""
	for _, name := range choose.Misspelt(j) {
		if !used[property.Selector{Name: j.Select.Name, Value: j.Choices[name].Setting.Value}] {
			if n++; first == "" {
				first = name
			}
		}
	}
	if n == 0 {
		return ""
	}
	return clean.Line(fmt.Sprintf("the values of %s, such as %.100q of %q, differ from %q only in case or spaces: they are not chosen", plural.Of(n, "dataset"), j.Choices[first].Setting.Value, first, j.Select), 1000)
}
